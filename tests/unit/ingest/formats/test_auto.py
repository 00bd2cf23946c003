"""A topic may mix gateways: each record is read by its own format, in order; what fits none says so."""

import itertools
import random
from typing import Any

import orjson
import pytest

from core.config import FormatSettings
from ingest.formats import build_auto, build_format
from tests.unit.ingest.builders import record
from tests.unit.ingest.formats.samples import GATEWAYS, lines_of

OWN = orjson.dumps(record())
SHOP = FormatSettings.model_validate({"fields": {"ts": "when", "status": "outcome.code", "tenant": "team", "route": "page"}})


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_sample_is_recognised(name: str) -> None:
    auto = build_auto({})
    assert [auto.recognise(orjson.loads(line))[0] for line in lines_of(name)] == [name] * len(lines_of(name))
    assert auto.decode(lines_of(name)).rows == build_format(name, {}).decode(lines_of(name)).rows


@pytest.mark.parametrize("own_share", [0.0, 0.5, 0.98])
def test_a_mixed_topic_is_read_record_by_record(own_share: float) -> None:
    rng = random.Random(7)
    others = list(itertools.chain.from_iterable(lines_of(name) for name in GATEWAYS))
    others += [b"", b"{", b"[1]", b'{"a":1}', orjson.dumps({"message": OWN.decode()}), orjson.dumps({"ts": "never"})]
    values = [OWN if rng.random() < own_share else rng.choice(others) for _ in range(5_000)]
    auto = build_format("auto", {})
    decoded = auto.decode(values)
    alone = {value: build_format("auto", {}).decode([value]) for value in set(values)}
    expected = [place for place, value in enumerate(values) for _ in range(alone[value].rows.num_rows)]
    assert decoded.valid.tolist() == expected
    assert decoded.rows.to_pylist() == [row for value in values for row in alone[value].rows.to_pylist()]
    assert [(one.index, one.reason, one.detail) for one in decoded.rejects] == [
        (place, one.reason, one.detail) for place, value in enumerate(values) for one in alone[value].rejects
    ]


def test_what_fits_none_says_so_with_its_keys() -> None:
    given = {f"key{number}": number for number in range(12)}
    (reject,) = build_format("auto", {}).decode([orjson.dumps(given)]).rejects
    assert reject.reason == "unknown_format"
    assert reject.detail.startswith("no format has records with the keys 'key0', 'key1'")
    assert reject.detail.endswith("'key7', …; `tpscope inspect` proposes a mapping")


def test_a_format_of_yours_comes_first() -> None:
    auto = build_auto({"shop": SHOP})
    given = {"when": 1740830400, "outcome": {"code": 503}, "team": "blue", "latencies": {}, "started_at": 1}
    assert auto.recognise(given)[0] == "shop"
    rows = auto.decode([orjson.dumps(given), OWN]).rows
    assert rows.column("tenant").to_pylist() == ["blue", "search"]


def test_a_format_of_yours_may_have_the_key_ts() -> None:
    mine = FormatSettings.model_validate({"fields": {"ts": "ts", "status": "code", "tenant": "team"}})
    given = {"ts": 1740830400, "code": 503, "team": "blue"}
    rows = build_format("auto", {"mine": mine}).decode([orjson.dumps(given), OWN, orjson.dumps(given)]).rows
    assert rows.column("status").to_pylist() == [503, 200, 503]
    assert rows.column("tenant").to_pylist() == ["blue", "search", "blue"]


def test_a_format_of_yours_takes_the_name_of_a_gateway() -> None:
    mine = FormatSettings.model_validate({"fields": {"ts": "started_at", "status": "response.status"}})
    assert build_format("kong", {"kong": mine}).decode(lines_of("kong")).rows.column("service").to_pylist() == ["", "", ""]
    assert build_auto({"kong": mine}).recognise(orjson.loads(lines_of("kong")[0]))[0] == "kong"


def test_ever_new_keys_are_not_all_remembered() -> None:
    auto = build_auto({})
    for number in range(9_000):
        auto.recognise({f"k{number}": 1})
    assert len(auto._remembered) <= 4_096
    assert auto.recognise(orjson.loads(lines_of("kong")[0]))[0] == "kong"


def test_rows_of_a_table_are_recognised_too() -> None:
    objects: list[Any] = [orjson.loads(lines_of("nginx")[0]), "no object", record(), {"x": 1}]
    decoded = build_format("auto", {}).decode_objects(objects)
    assert decoded.valid.tolist() == [0, 2]
    assert [(one.index, one.reason) for one in decoded.rejects] == [(1, "not_object"), (3, "unknown_format")]


def test_nginx_with_its_own_proxy_host_is_not_taken_for_another_gateway() -> None:
    given = orjson.loads(lines_of("nginx")[0]) | {"proxy_host": "backend", "proxy_port": "80"}
    assert build_auto({}).recognise(given)[0] == "nginx"
