"""A mapping is guessed from names, values and magnitudes, and reads the records that it was made from."""

from typing import Any

import pytest
import yaml

from core.config import FormatSettings
from ingest.formats import build_format
from ingest.formats.proposal import propose
from tests.unit.ingest.formats.samples import GATEWAYS, lines_of

BASE = {"startTime": "2025-03-01T12:00:00.5Z"}


def records(count: int = 20, **fields: Any) -> list[dict[str, Any]]:
    return [
        BASE | {name: value(place) if callable(value) else value for name, value in fields.items()} for place in range(count)
    ]


@pytest.mark.parametrize(
    ("fields", "column", "entry"),
    [
        ({"took_ms": 250}, "latency_ms", {"path": "took_ms"}),
        ({"durationSeconds": 2}, "latency_ms", {"path": "durationSeconds", "unit": "s"}),
        ({"elapsed_us": "5000"}, "latency_ms", {"path": "elapsed_us", "unit": "us"}),
        ({"latency": lambda place: 0.05 + place / 100}, "latency_ms", {"path": "latency", "unit": "s"}),
        ({"latency": lambda place: 120.5 + place}, "latency_ms", {"path": "latency"}),
        ({"latency": lambda place: 120 + place}, "latency_ms", {"path": "latency"}),
        ({"latency": lambda place: 1_200_000 + place}, "latency_ms", {"path": "latency", "unit": "us"}),
        ({"latency": lambda place: 1_200_000_000 + place}, "latency_ms", {"path": "latency", "unit": "ns"}),
        ({"http": {"status": "200"}}, "status", {"path": "http.status"}),
        ({"outcome": "SUCCESS"}, "status", {"path": "outcome", "values": {"SUCCESS": 200}}),
        ({"request": "GET /a?b=1 HTTP/1.1"}, "method", {"path": "request", "convert": "method"}),
        ({"request": "GET /a?b=1 HTTP/1.1"}, "route", {"path": "request", "convert": "path"}),
        ({"url": "https://host/a?b=1"}, "route", {"path": "url", "convert": "path"}),
        ({"path": "/a/b"}, "route", {"path": "path"}),
        ({"api_base": "https://api.example.com/v1"}, "upstream", {"path": "api_base", "convert": "host"}),
        ({"team": "blue"}, "tenant", {"path": "team"}),
        ({"usage": {"inputTokens": 7}}, "prompt_tokens", {"path": "usage.inputTokens"}),
        ({"cost_micros": 1250}, "cost_usd", {"path": "cost_micros", "scale": 1e-6}),
        ({"cache_status": lambda place: "HIT" if place else "MISS"}, "cache_hit",
         {"path": "cache_status", "values": {"HIT": True, "MISS": False}}),
        ({"is_stream": "true"}, "stream", {"path": "is_stream"}),
    ],
)  # fmt: skip
def test_a_guess(fields: dict[str, Any], column: str, entry: dict[str, Any]) -> None:
    given = records(**fields)
    found = propose(given)
    assert found.fields[column] == entry
    assert found.readable == len(given)


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"latency": "fast"}, "latency_ms"),
        ({"status": "strange"}, "status"),
        ({"code": 70_000}, "status"),
        ({"error": "it broke because of this and that"}, "error_type"),
        ({"user": {"authorization": "Bearer x"}}, "tenant"),
        ({"model": {"api_key": "x"}}, "model"),
        ({"bytes_in": -5}, "bytes_in"),
        ({"verb": "dance"}, "method"),
    ],
)
def test_what_does_not_fit_is_not_proposed(fields: dict[str, Any], column: str) -> None:
    assert column not in propose(records(**fields)).fields


@pytest.mark.parametrize(
    ("times", "entry"),
    [
        ({"timestamp": 1740830400}, {"path": "timestamp"}),
        ({"event": {"createdAt": 1740830400123456}}, {"path": "event.createdAt"}),
        ({"date": "01/Mar/2025:13:00:00 +0100"}, {"path": "date", "time_format": "%d/%b/%Y:%H:%M:%S %z"}),
        ({"zzz": "2025-03-01 12:00:00"}, {"path": "zzz"}),
        ({"end_time": 1740830401, "start_time": 1740830400}, {"path": "start_time"}),
        ({"id": 1740830400, "moment": "2025-03-01T12:00:00Z"}, {"path": "moment"}),
    ],
)
def test_times(times: dict[str, Any], entry: dict[str, Any]) -> None:
    assert propose([times] * 5).fields["ts"] == entry


def test_without_a_time_there_is_no_mapping() -> None:
    found = propose([{"status": 200, "latency": 5}])
    assert found.settings is None
    assert propose([]).settings is None


def test_a_field_that_spoils_records_is_left_out_and_named() -> None:
    given = records(status=lambda place: "odd" if place == 19 else 200)
    found = propose(given)
    assert "status" not in found.fields
    assert found.readable == 20
    assert "# status: status? 'odd' is no number" in found.as_yaml("mine")


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "otel"])
def test_what_is_proposed_can_be_pasted_and_reads_the_records(name: str) -> None:
    import orjson

    given = [orjson.loads(line) for line in lines_of(name)]
    found = propose(given)
    assert found.readable >= 1
    pasted = yaml.safe_load(found.as_yaml("mine"))["formats"]["mine"]
    format_ = build_format("mine", {"mine": FormatSettings.model_validate(pasted)})
    assert format_.decode_objects(given).rows.num_rows == found.readable
    assert "sk-abc" not in found.as_yaml("mine")
    assert "Bearer" not in found.as_yaml("mine")
