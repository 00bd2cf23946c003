"""The HTTP API over an embedded store that holds two days of traffic."""

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.counting import TransactionCounter
from core.config import StoreSettings
from core.errors import StoreError, StoreUnavailable
from core.series import ALL_CALLS, Selector
from core.types import JobState
from ingest.samples import decode_samples, located_samples
from render.forecast_export import FORECAST_CONTENT_TYPES, FORMATS, encode_forecasts
from storage import calls, jobs
from storage.remote import RemoteStore
from storage.samples import insert_samples
from tests.support.web import TOKEN, Service, filled_service
from tpscope.exports import forecast_items

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with filled_service(
        tmp_path_factory.mktemp("api"),
        days=2,
        per_minute=60,
        web={"max_points": 1500},
        transactions=[{"name": "openai", "selector": {"provider": "openai"}, "weight": 3}],
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=30, trust_env=False) as asking:
        yield asking


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(client: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(path, params=query)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    return body


def rate(point: list[Any]) -> float:
    return float(point[1])


def test_a_series_has_the_stores_numbers(client: httpx.Client, service: Service) -> None:
    start, end = service.filled.end - timedelta(hours=3), service.filled.end - timedelta(hours=1)
    body = get(client, "/api/v1/series", metric="tps", **{"from": start.isoformat(), "to": end.isoformat()})
    assert (body["unit"], body["step_s"], body["time_zone"]) == ("calls/s", 60, "UTC")
    points = body["series"][0]["points"]
    assert len(points) == 120
    assert datetime.fromisoformat(points[0][0]) == start
    total = sum(rate(point) * 60 for point in points)
    assert total == pytest.approx(calls.count_calls(service.store, start, end))


def test_filters_select_and_by_splits(client: httpx.Client, service: Service) -> None:
    start, end = service.filled.end - timedelta(hours=3), service.filled.end - timedelta(hours=1)
    span = {"from": start.isoformat(), "to": end.isoformat()}
    openai = get(client, "/api/v1/series", metric="tps", provider="openai", **span)["series"]
    assert openai[0]["labels"] == {}
    total = sum(rate(point) * 60 for point in openai[0]["points"])
    assert total == pytest.approx(calls.count_calls(service.store, start, end, Selector.of(provider="openai")))
    split = get(client, "/api/v1/series", metric="tps", by="provider", **span)["series"]
    by_name = {one["labels"]["provider"]: one["points"] for one in split}
    assert {"openai", "anthropic", "mistral"} <= set(by_name)
    assert by_name["openai"] == openai[0]["points"]


def test_the_minute_in_progress_is_left_out_and_unknown_is_null(client: httpx.Client, service: Service) -> None:
    body = get(client, "/api/v1/series", metric="tps", last="10m")
    points = body["series"][0]["points"]
    assert datetime.fromisoformat(points[-1][0]) == service.filled.end - MINUTE
    future = {
        "from": (service.filled.end + timedelta(days=1)).isoformat(),
        "to": (service.filled.end + timedelta(days=2)).isoformat(),
    }
    assert get(client, "/api/v1/series", metric="tps", **future)["series"][0]["points"] == []
    before = {"from": (service.filled.start - timedelta(hours=2)).isoformat(), "to": service.filled.start.isoformat()}
    values = [value for _, value in get(client, "/api/v1/series", metric="tps", **before)["series"][0]["points"]]
    assert values
    assert set(values) == {None}


def test_seconds_can_be_asked_of_what_has_them(client: httpx.Client, service: Service) -> None:
    start = service.filled.end - timedelta(minutes=20)
    span = {"from": start.isoformat(), "to": (start + timedelta(minutes=10)).isoformat()}
    points = get(client, "/api/v1/series", metric="tps", step="10", **span)["series"][0]["points"]
    assert len(points) == 60
    assert sum(rate(point) * 10 for point in points) == pytest.approx(
        calls.count_calls(service.store, start, start + timedelta(minutes=10))
    )


def test_a_transaction_and_samples_are_series_too(client: httpx.Client, service: Service) -> None:
    start, end = service.filled.end - timedelta(hours=3), service.filled.end - timedelta(hours=1)
    span = {"from": start.isoformat(), "to": end.isoformat()}
    uncounted = get(client, "/api/v1/series", metric="tps", transaction="openai", **span)
    assert {value for _, value in uncounted["series"][0]["points"]} == {None}, "not counted yet is not zero"
    report = TransactionCounter().run(service.store, service.clock, service.settings, 1)
    body = get(client, "/api/v1/series", metric="tps", transaction="openai", **span)
    assert (
        body["series"][0]["points"]
        == get(client, "/api/v1/series", metric="tps", provider="openai", **span)["series"][0]["points"]
    )
    assert (body["version"], body["weight"]) == (service.settings.transactions[0].definition.version, 3)
    assert report.cursor is not None
    assert datetime.fromisoformat(body["complete_until"]) == report.cursor
    line = orjson.dumps({"ts": start.isoformat(), "name": "queue_depth", "value": 7, "labels": {"gateway": "gw"}})
    insert_samples(service.store, located_samples(decode_samples([line]), "samples", 0, range(1), start))
    depth = get(client, "/api/v1/series", metric="queue_depth", gateway="gw", **span)
    assert depth["series"] == [{"labels": {}, "points": [[start.strftime("%Y-%m-%dT%H:%M:%SZ"), 7.0]]}]


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ({}, 400, "metric"),
        ({"metric": "tps", "transaction": "nosuch"}, 404, "transaction"),
        ({"metric": "tps", "transaction": "openai", "by": "tenant"}, 422, "transaction"),
        ({"metric": "ttft_p95", "transaction": "openai"}, 400, "metric"),
        ({"metric": "foo"}, 400, "metric"),
        ({"metric": "tps", "provder": "openai"}, 400, "provder"),
        ({"metric": "tps", "by": "color"}, 400, "by"),
        ({"metric": "tps", "by": "service,route,tenant,model"}, 422, "by"),
        ({"metric": "tps", "last": "soon"}, 400, "last"),
        ({"metric": "tps", "last": "9999d"}, 422, "last"),
        ({"metric": "tps", "from": "monday"}, 400, "from"),
        ({"metric": "tps", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422, "from"),
        ({"metric": "tps", "last": "7d", "step": "1m"}, 422, "step"),
        ({"metric": "tps", "step": "fast"}, 400, "step"),
        ({"metric": "latency_p95", "step": "10s"}, 422, "step"),
        ({"metric": "tps", "last": "1d", "step": "5m", "by": "tenant"}, 422, "by"),
        ({"metric": "tps", "service": "x" * 1000}, 400, "service"),
    ],
)
def test_a_bad_question_gets_one_sentence_that_names_the_parameter(
    client: httpx.Client, query: dict[str, str], status: int, parameter: str
) -> None:
    body = problem(client, "/api/v1/series", **query)
    assert (body["status"], body["parameter"]) == (status, parameter)
    assert body["detail"].startswith(f"{parameter}: ")
    assert "\n" not in body["detail"]
    assert body["detail"].endswith(".")


def test_values_are_bound_and_never_part_of_a_statement(client: httpx.Client) -> None:
    odd = "'; DROP TABLE calls; --\\"
    body = get(client, "/api/v1/series", metric="tps", service=odd, last="1h")
    assert {value for _, value in body["series"][0]["points"]} == {0.0}
    assert get(client, "/api/v1/status")["store"]["calls"] > 0


def test_incidents_come_newest_first_with_their_state(client: httpx.Client, service: Service) -> None:
    found = get(client, "/api/v1/incidents")["incidents"]
    assert [one["id"] for one in found] == ["i-slow", "i-outage"]
    assert found[0]["threshold"] is None
    firing = get(client, "/api/v1/incidents", state="firing")["incidents"]
    assert [one["id"] for one in firing] == ["i-slow"]
    resolved = get(client, "/api/v1/incidents", state="resolved")["incidents"]
    assert [one["id"] for one in resolved] == ["i-outage"]
    assert datetime.fromisoformat(resolved[0]["resolved_at"]) == service.filled.resolved.resolved_at
    assert len(get(client, "/api/v1/incidents", limit=1)["incidents"]) == 1
    assert problem(client, "/api/v1/incidents", limit="0")["parameter"] == "limit"
    assert problem(client, "/api/v1/incidents", state="odd")["parameter"] == "state"


def test_anomalies_have_their_contributions(client: httpx.Client) -> None:
    found = get(client, "/api/v1/anomalies")["anomalies"]
    assert [one["id"] for one in found] == ["a-slow", "a-outage"]
    assert found[0]["contributions"][0]["share"] == pytest.approx(0.62)
    assert [one["id"] for one in get(client, "/api/v1/anomalies", open="true")["anomalies"]] == ["a-slow"]


def test_the_status_counts_what_is_there(client: httpx.Client, service: Service) -> None:
    status = get(client, "/api/v1/status")
    assert status["store"]["calls"] == calls.count_calls(service.store)
    assert status["dead_letters"] == {"not_json": 3}
    assert status["incidents_firing"] == 1
    assert status["data"]["fresh"] is True
    assert datetime.fromisoformat(status["data"]["newest_minute"]) == service.filled.end - MINUTE
    assert {job["name"] for job in status["jobs"]} >= {"alerts", "baselines", "delivery", "detection", "forecasts", "hours"}


EXPORT = "/api/v1/exports/forecasts"
COLUMNS = ["timestamp_utc", "metric", "selector", "unit", "mean", "q05", "q10", "q25", "q50", "q75", "q90", "q95", "model"]


def test_a_forecast_is_exported_in_each_format(client: httpx.Client) -> None:
    text = client.get(EXPORT, params={"metric": "tps"})
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="tpscope-forecast-tps-all-traffic-' in text.headers["content-disposition"]
    table = pd.read_csv(io.StringIO(text.text), comment="#")
    assert list(table.columns) == COLUMNS
    assert len(table) == 28 * 24
    assert "# unit: calls/s\n" in text.text

    body = get(client, EXPORT, metric="tps", format="json")
    assert body["meta"]["model"] == "seasonal regression with hour-of-week terms"
    assert body["rows"][0]["q95"] == pytest.approx(table["q95"].iloc[0])

    parquet = pq.read_table(io.BytesIO(client.get(EXPORT, params={"metric": "tps", "format": "parquet"}).content))
    assert parquet.column_names == COLUMNS
    assert parquet.num_rows == len(table)

    sheet = openpyxl.load_workbook(io.BytesIO(client.get(EXPORT, params={"metric": "tps", "format": "xlsx"}).content))["tps"]
    assert [cell.value for cell in sheet[1]] == COLUMNS
    assert sheet.max_row == len(table) + 1


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_api_gives_the_bytes_of_the_command(client: httpx.Client, service: Service, fmt: str) -> None:
    by_command = encode_forecasts(forecast_items(service.store, "tps", ALL_CALLS), fmt)
    answer = client.get(EXPORT, params={"metric": "tps", "format": fmt})
    assert answer.content == by_command
    assert answer.headers["content-type"] == FORECAST_CONTENT_TYPES[fmt]


def test_an_export_of_a_selection_and_of_nothing(client: httpx.Client) -> None:
    text = client.get(EXPORT, params={"metric": "cost_per_h", "selector": 'service="chat"'}).text
    assert '# selector: service="chat"' in text
    missing = problem(client, EXPORT, metric="tps", selector='service="nobody"')
    assert missing["status"] == 404
    assert problem(client, EXPORT, metric="tps", selector="chat")["parameter"] == "selector"
    assert problem(client, EXPORT, metric="tps", format="pdf")["parameter"] == "format"
    assert problem(client, EXPORT, metric="../../etc/passwd")["parameter"] == "metric"


def test_the_forecasts_are_listed(client: httpx.Client) -> None:
    listed = get(client, "/api/v1/forecasts")["forecasts"]
    assert {(one["metric"], one["selector"].get("service", "")) for one in listed} == {
        ("tps", ""), ("tps", "chat"), ("cost_per_h", ""), ("cost_per_h", "chat"),
    }  # fmt: skip


def test_probes_and_metrics(client: httpx.Client, service: Service) -> None:
    assert get(client, "/healthz") == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (200, [])
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "tpscope_web_request_seconds_bucket" in metrics.text
    assert "process_resident_memory_bytes" in metrics.text


def test_a_job_that_is_late_makes_it_unready(client: httpx.Client, service: Service) -> None:
    late = service.filled.now - timedelta(hours=1)
    state: dict[str, Any] = {"name": "alerts", "cursor": late, "last_error_at": None, "last_error": "", "duration_s": 0.1}
    jobs.write_job(service.store, JobState(last_success_at=late, **state), 2)
    try:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == [f"job alerts has not succeeded since {late:%Y-%m-%dT%H:%M:%SZ}"]
    finally:
        jobs.write_job(service.store, JobState(last_success_at=service.filled.now, **state), 3)
    assert client.get("/readyz").status_code == 200


def test_the_api_describes_itself_and_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    paths = get(client, "/api/v1/openapi.json")["paths"]
    assert "/api/v1/series" in paths
    assert [paths[open_]["get"].get("security") for open_ in ("/healthz", "/readyz", "/metrics")] == [[], [], None]
    assert not [path for path in paths if path.startswith(("/internal", "/_dash"))]
    names = {parameter["name"] for parameter in paths["/api/v1/series"]["get"]["parameters"]}
    assert {"metric", "from", "to", "last", "step", "by", "provider", "tenant"} <= names
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    assert client.get("/api/v1/nothing").json()["status"] == 404


def test_pages_are_html_and_what_is_missing_is_404(client: httpx.Client) -> None:
    for path, status in (
        ("/", 200),
        ("/objectives", 200),
        ("/incidents", 200),
        ("/forecast", 200),
        ("/pipeline", 200),
        ("/nowhere", 404),
    ):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == status
        assert "https://" not in answer.text.replace("https://dash-version", "")
        assert "/assets/tpscope.css" in answer.text
    assert client.get("/assets/../server.py").status_code == 404
    assert client.get("/assets/%2e%2e/server.py").status_code == 404


def test_an_answer_that_is_long_is_compressed(client: httpx.Client) -> None:
    answer = client.get("/api/v1/series", params={"metric": "tps", "last": "12h"}, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_the_owners_api_needs_the_token(client: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN[:-1]}):
        answer = client.post("/internal/v1/arrow", content=b"{}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/internal/v1/arrow", content=b"nonsense", headers=right).status_code == 400
    assert client.post("/internal/v1/explode", content=b"{}", headers=right).status_code == 400
    assert client.get("/internal/v1/arrow", headers=right).status_code in (404, 405)


def test_another_command_reads_and_writes_through_the_owners_api(service: Service, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    remote = RemoteStore(service.address, token_file, StoreSettings())
    try:
        assert calls.count_calls(remote) == calls.count_calls(service.store)
        remote.command("CREATE TABLE scratch (n Int64) ENGINE = Memory")
        remote.insert("scratch", pa.table({"n": pa.array(range(100_000), pa.int64())}))
        assert remote.frame("SELECT sum(n) AS total FROM scratch")["total"].tolist() == [sum(range(100_000))]
        remote.command("DROP TABLE scratch")
        with pytest.raises(StoreError):
            remote.frame("SELECT nothing FROM nowhere")
        token_file.write_text("stale")
        remote._token = "stale"
        with pytest.raises(StoreUnavailable, match="refused the token"):
            remote.frame("SELECT 1 AS one")
    finally:
        remote.close()


def test_what_a_callback_gets_wrong_is_no_trace(client: httpx.Client) -> None:
    answer = client.post(
        "/_dash-update-component", json={"output": "no.such", "outputs": [], "inputs": [], "changedPropIds": []}
    )
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert json.loads(answer.text)["error"] == "InternalServerError"


@pytest.mark.parametrize(
    ("path", "query", "columns"),
    [
        ("explore/files/lines", {"by": "service", "compare": "1d"}, ["timestamp_utc", "series", "tps"]),
        (
            "explore/files/table",
            {"metric": "error_rate", "rank": "value", "by": "tenant", "and": "route"},
            ["tenant", "route", "calls"],
        ),
        ("explore/files/week", {"by": "none"}, ["weekday_0_is_monday", "hour_UTC", "tps"]),
        ("explore/files/distribution", {"metric": "ttft_p95"}, ["timestamp_utc", "from_ms", "to_ms", "share"]),
        ("explore/files/curves", {"by": "provider", "tenant": "team-1"}, ["provider", "calls", "p1"]),
        ("llm/files/models", {}, ["provider", "model", "calls"]),
        ("llm/files/saved", {}, ["timestamp_utc", "series", "value"]),
        ("llm/files/versions", {"one": "openai/gpt-4o"}, ["provider", "model", "calls"]),
    ],
)
def test_what_a_page_shows_is_had_as_a_file(client: httpx.Client, path: str, query: dict[str, str], columns: list[str]) -> None:
    answer = client.get(path, params={"last": "6h", **query})
    assert answer.status_code == 200, answer.text
    assert "# unit:" in answer.text
    table = pd.read_csv(io.StringIO(answer.text), comment="#")
    assert list(table.columns)[: len(columns)] == columns
    assert len(table)


def test_a_total_of_explore_is_the_stores_from_single_calls_too(client: httpx.Client, service: Service) -> None:
    end = service.filled.end
    span = {"from": (end - timedelta(hours=2)).isoformat(), "to": end.isoformat()}
    for by in ({"by": "tenant"}, {"by": "tenant", "and": "provider"}):
        text = client.get("explore/files/table", params={**span, **by, "top": "20"}).text
        table = pd.read_csv(io.StringIO(text), comment="#")
        team = Selector.of(tenant="team-2")
        known = calls.count_calls(service.store, end - timedelta(hours=2), end, team)
        assert table.loc[table["tenant"] == "team-2", "calls"].sum() == known


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("explore/files/secrets", 404), ("explore/files/..%2f..%2fetc%2fpasswd", 404), ("llm/files/x", 404),
        ("explore/files/lines?by=service'%20OR%201=1--", 422), ("explore/files/lines?metric=%00", 422),
        ("llm/files/tps?last=x", 400),
    ],
)  # fmt: skip
def test_files_of_pages_that_there_are_not_are_refused(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_more_single_calls_than_a_page_may_read_are_said_in_words(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.explore.reading.MOST_CALLS", 10)
    body = problem(client, "explore/files/curves", last="12h", by="region", tenant="team-3")
    assert body["status"] == 422
    assert "at most 10 are read" in body["detail"]
