"""The API's calls, files, results and Prometheus' queries over a store with a day of traffic, and its own description."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from core.errors import StoreUnavailable
from core.recommendations import Effect, Finding, Recommendation, RecommendationState
from core.series import Selector
from dashboards.api.cursors import cursor_of
from storage import calls, dead_letters, recommendations, series
from storage.posts import BEGUN, read_post, write_post
from tests.support.access import Site, site
from tests.support.conforming import conforms

FORMATS = ("csv", "json", "parquet", "xlsx")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory, "api-v1") as running:
        yield running


def ask(here: Site, path: str, role: str = "read", **query: Any) -> httpx.Response:
    return here.client.get(f"/api/v1/{path}", params=query, headers=here.as_(role))


def get(here: Site, path: str, role: str = "read", **query: Any) -> Any:
    answer = ask(here, path, role, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(here: Site, path: str, **query: Any) -> tuple[int, str]:
    answer = ask(here, path, **query)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json().get("parameter", "")


# --- calls ------------------------------------------------------------------------------------------------------------------


def test_pages_of_calls_are_all_calls_once_whatever_comes_in_meanwhile(here: Site) -> None:
    end = here.filled.end - timedelta(minutes=20)
    span = {"from": (end - timedelta(minutes=30)).isoformat(), "to": end.isoformat()}
    expected = calls.count_calls(here.store, end - timedelta(minutes=30), end)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = get(here, "calls", limit=40, **span, **cursor)
        seen += [one["request_id"] for one in page["calls"]]
        if len(seen) == 40:  # newer than what was seen: it belongs to no later page
            line = json.dumps({"ts": (end - timedelta(milliseconds=1)).isoformat(), "request_id": "late"})
            assert post(here, line.encode(), "meanwhile").status_code == 200
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen)) == expected > 60
    times = [one["ts"] for one in get(here, "calls", limit=100, **span)["calls"]]
    assert times == sorted(times, reverse=True)


def test_calls_are_found_by_id_filter_and_error(here: Site) -> None:
    first = get(here, "calls", limit=1, last="2h")["calls"][0]
    assert get(here, "calls", last="2h", request_id=first["request_id"])["calls"] == [first]
    assert {one["provider"] for one in get(here, "calls", last="2h", provider="mistral")["calls"]} == {"mistral"}
    bad = get(here, "calls", last="2h", errors="true", limit=1000)["calls"]
    assert bad
    assert all(one["error_type"] or one["status"] >= 500 for one in bad)
    for cursor in ("x", "!", "bnVsbA", "WzEsMiwzLDQsNV0"):
        assert problem(here, "calls", cursor=cursor) == (400, "cursor")


def post(here: Site, body: bytes, key: str | None, *, query: str = "", **headers: str) -> httpx.Response:
    named = {} if key is None else {"Idempotency-Key": key}
    headers = here.as_("operate", **named, **{"content-type": "application/x-ndjson", **headers})
    return here.client.post(f"/api/v1/calls{query}", content=body, headers=headers)


def lines(here: Site, service: str, count: int) -> bytes:
    at = here.filled.end - timedelta(minutes=2)
    rows = [{"ts": at.isoformat(), "service": service, "status": 200, "latency_ms": n, "route": "/a"} for n in range(count)]
    return "\n".join(json.dumps(row) for row in rows).encode()


def counted(here: Site, service: str) -> tuple[int, float]:
    """Single calls, and what the rollup counts."""
    end = here.filled.end
    selector = Selector.of(service=service)
    panel = series.read_panel(here.store, end - timedelta(hours=1), end, 3600, (), ("tps",), selector=selector)
    return calls.count_calls(here.store, selector=selector), float(panel["calls"].sum())


def test_posted_calls_are_stored_once_however_often_they_are_sent(here: Site) -> None:
    body = lines(here, "posted", 7) + b"\n\nno json\n" + json.dumps({"ts": "never"}).encode() + b"\n"
    answer = post(here, body, "batch-1")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["records"], told["written"], told["rejected"], told["repeated"]) == (9, 7, 2, False)
    assert [(one["line"], one["reason"]) for one in told["refused"]] == [(8, "not_json"), (9, "bad_ts")]
    again = post(here, body, "batch-1").json()
    assert again == {**told, "repeated": True}
    assert counted(here, "posted") == (7, 7)
    letters = dead_letters.count_dead_letters(here.store)
    assert dict(zip(letters["reason"], letters["letters"], strict=True))["bad_ts"] == 1
    other = post(here, body + b"{}", "batch-1")
    assert (other.status_code, other.json()["parameter"]) == (422, "Idempotency-Key")
    assert post(here, body, "batch-2").json()["repeated"] is False, "another key is another batch"
    assert counted(here, "posted") == (14, 14)


def test_a_post_that_was_cut_short_is_completed_by_its_repeat(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    body = lines(here, "cut", 5)

    def cut(*_: object, **__: object) -> None:
        raise StoreUnavailable("store: the connection broke")

    with monkeypatch.context() as broken:
        broken.setattr("ingest.writer.insert_calls", cut)
        assert post(here, body, "cut-before").status_code == 503
    assert counted(here, "cut") == (0, 0)
    assert post(here, body, "cut-before").json()["written"] == 5
    topic = f"post:{_token_id(here)}:cut-before"
    done = read_post(here.store, topic)
    assert done is not None
    write_post(here.store, replace(done, state=BEGUN, answer=""))  # as if it had ended between the calls and its note
    assert post(here, body, "cut-before").json()["repeated"] is False
    assert counted(here, "cut") == (5, 5)


def _token_id(here: Site) -> str:
    return here.tokens["operate"].split("_")[1]


@pytest.mark.parametrize(
    ("body", "key", "more", "status", "parameter"),
    [
        (b'{"ts":1}', None, {}, 400, "Idempotency-Key"),
        (b'{"ts":1}', "has blanks", {}, 400, "Idempotency-Key"),
        (b" \n ", "blank", {}, 400, ""),
        (b'{"ts":1}', "form", {"content-type": "application/x-www-form-urlencoded"}, 415, ""),
        (b'{"ts":1}', "gz", {"content-encoding": "gzip"}, 415, ""),
        (b'{"ts":1}', "format", {"query": "?format=nosuch"}, 400, "format"),
        (b'{"ts":1}', "extra", {"query": "?formt=auto"}, 400, "formt"),
    ],
)
def test_a_bad_post_is_refused_in_one_sentence(
    here: Site, body: bytes, key: str | None, more: dict[str, Any], status: int, parameter: str
) -> None:
    answer = post(here, body, key, **more)
    assert (answer.status_code, answer.json().get("parameter", "")) == (status, parameter)
    assert "\n" not in answer.json()["detail"]


def test_old_and_future_calls_are_dead_letters_as_kafkas_are(here: Site) -> None:
    far = [{"ts": (here.clock.now() + timedelta(days=sign * 400)).isoformat()} for sign in (-1, 1)]
    told = post(here, "\n".join(map(json.dumps, far)).encode(), "far").json()
    assert [one["reason"] for one in told["refused"]] == ["too_old", "too_new"]


def test_other_formats_can_be_posted(here: Site) -> None:
    at = (here.filled.end - timedelta(minutes=1)).timestamp()
    kong = {
        "started_at": int(at * 1000),
        "request": {"method": "GET", "uri": "/x"},
        "response": {"status": 200},
        "latencies": {"request": 5, "proxy": 4, "kong": 1},
        "service": {"name": "kong-svc"},
        "route": {"name": "r"},
    }
    told = post(here, json.dumps(kong).encode(), "kong", query="?format=kong").json()
    assert (told["written"], told["rejected"]) == (1, 0), told


# --- files ------------------------------------------------------------------------------------------------------------------


def table(content: bytes, fmt: str) -> pd.DataFrame:
    match fmt:
        case "csv":
            return pd.read_csv(io.BytesIO(content), comment="#", keep_default_na=False)
        case "json":
            return pd.DataFrame(json.loads(content)["rows"])
        case "parquet":
            found: pd.DataFrame = pq.read_table(io.BytesIO(content)).to_pandas()
            return found
        case _:
            rows = list(openpyxl.load_workbook(io.BytesIO(content))["data"].values)
            return pd.DataFrame(rows[1:], columns=list(rows[0]))


def test_files_of_calls_have_every_call_in_each_form(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.api.exports._CHUNK_ROWS", 37)
    end = here.filled.end - timedelta(hours=3)
    span = {"from": (end - timedelta(minutes=40)).isoformat(), "to": end.isoformat()}
    expected = calls.read_calls(here.store, end - timedelta(minutes=40), end)
    for fmt in FORMATS:
        answer = ask(here, "exports/calls", format=fmt, **span)
        found = table(answer.content, fmt)
        assert list(found["request_id"]) == expected.column("request_id").to_pylist()
        assert list(found.columns) == expected.column_names
        assert answer.headers["content-disposition"].endswith(f'.{fmt}"')
    assert ask(here, "exports/calls", **span).text.startswith("# made_by: tpscope\n# content: calls\n")


def test_files_of_series_anomalies_and_incidents_have_units_and_the_apis_numbers(here: Site) -> None:
    asked = {"metric": "latency_p95", "last": "2h", "by": "provider", "step": "10m"}
    points = {
        (line["labels"]["provider"], at): value
        for line in get(here, "series", **asked)["series"]
        for at, value in line["points"]
    }
    exported = get(here, "exports/series", format="json", **asked)
    assert exported["meta"]["unit"] == "ms"
    assert {(row["provider"], row["timestamp_utc"]): row["latency_p95"] for row in exported["rows"]} == points
    for fmt in FORMATS:
        assert len(table(ask(here, "exports/series", format=fmt, **asked).content, fmt)) == len(points)
    found = get(here, "exports/anomalies", format="json")["rows"]
    assert [row["selector"] for row in found] == [str(one.selector) for one in here.filled.anomalies]
    assert {row["id"] for row in get(here, "exports/incidents", format="json")["rows"]} == {"i-slow", "i-outage"}
    nothing = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    for fmt in FORMATS:
        assert ask(here, "exports/calls", format=fmt, **nothing).status_code == 200
        assert ask(here, "exports/incidents", format=fmt, **nothing).status_code == 200
    assert problem(here, "exports/series", metric="nosuch") == (400, "metric")
    assert problem(here, "exports/calls", format="exe") == (400, "format")


# --- results ----------------------------------------------------------------------------------------------------------------


def test_lists_come_by_pages(here: Site) -> None:
    first = get(here, "incidents", limit=1)
    second = get(here, "incidents", limit=1, cursor=first["next_cursor"])
    assert [one["id"] for page in (first, second) for one in page["incidents"]] == ["i-slow", "i-outage"]
    assert second["next_cursor"] is None
    page = get(here, "anomalies", limit=1)
    assert get(here, "anomalies", cursor=page["next_cursor"])["anomalies"][0]["id"] == "a-outage"
    assert problem(here, "incidents", cursor=page["next_cursor"] + "x") == (400, "cursor")


LISTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "audit": ("events", "admin", {}),
    "changes": ("changes", "read", {"from": "2025-01-01T00:00:00Z"}),
    "masks": ("masks", "read", {"all": True}),
    "silences": ("silences", "read", {}),
    "forecasts": ("forecasts", "read", {}),
    "recommendations": ("recommendations", "read", {}),
}


@pytest.mark.parametrize("path", LISTS)
def test_other_lists_come_by_pages_too(here: Site, path: str) -> None:
    name, role, more = LISTS[path]
    _three_of_each(here)
    whole = get(here, path, role, limit=1000, **more)
    assert len(whole[name]) >= 2
    assert whole["next_cursor"] is None
    seen: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in whole[name]:
        page = get(here, path, role, limit=1, **more, **cursor)
        seen += page[name]
        cursor = {"cursor": page["next_cursor"]}
    assert cursor == {"cursor": None}
    assert seen == whole[name]
    for wrong in ("x", cursor_of("2026-01-01T00:00:00", 2**63), cursor_of("0001-01-01T00:00:00", 1), cursor_of("a", "b", 3)):
        answer = ask(here, path, role, cursor=wrong)
        assert (answer.status_code, answer.json().get("parameter")) == (400, "cursor"), answer.text


def _three_of_each(here: Site) -> None:
    """Silences, masks and changes (each noted in the audit), and recommendations; two of each begin at one moment."""
    if len(recommendations.read_recommendations(here.store)) >= 3:
        return
    now = here.clock.now()
    for n in range(3):
        at = (now - timedelta(minutes=n // 2)).isoformat()
        change, mask = {"what": f"v{n}", "who": "ann", "at": at}, {"kind": "expected", "why": "x", "who": "ann", "from": at}
        silence = {"match": {"rule": f"paged-{n}"}, "from": at, "for": "2h"}
        for path, body in (("changes", change), ("masks", mask), ("silences", silence)):
            assert here.client.post(f"/api/v1/{path}", json=body, headers=here.as_("operate")).status_code == 201
    recommendations.write_recommendations(here.store, [_recommendation(f"r-{n}", 10.0 + n // 2, now) for n in range(3)])


def _recommendation(id: str, gain: float, now: datetime) -> Recommendation:
    effect = Effect(measure="cost", scope=Selector(), unit="USD/h", before=3.0, after=2.0, lower=1.5, upper=2.5)
    finding = Finding(
        rule=id, selector=Selector(), about=id, action="Do it", evidence=("x",), effect=effect, gain=gain,
        gain_of="cost", confidence=0.8, verify="look",
    )  # fmt: skip
    return Recommendation(
        id=id, finding=finding, start=now, end=now, found_at=now, state=RecommendationState.OPEN
    )  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [("0001-01-01T00:00:00", "t", 0, 0, ""), ("2026-01-01T00:00:00", "t", 2**31, 0, ""), ("2026-01-01", "t", 0, 2**63, "")],
)
def test_a_made_up_place_among_calls_is_refused(here: Site, key: tuple[Any, ...]) -> None:
    assert problem(here, "calls", cursor=cursor_of(*key)) == (400, "cursor")


def test_one_incident_one_anomaly_and_their_actions(here: Site) -> None:
    found = get(here, "incidents/i-slow")
    assert found["incident"]["id"] == "i-slow"
    assert found["history"][-1]["state"] == found["incident"]["state"]
    assert {one["receiver"] for one in found["messages"]}
    assert get(here, "anomalies/a-slow")["unit"] == "ms"
    assert problem(here, "incidents/nosuch")[0] == problem(here, "anomalies/nosuch")[0] == 404
    answer = here.client.post("/api/v1/incidents/i-outage/actions", json={"action": "expected"}, headers=here.as_("operate"))
    assert answer.status_code == 409, "it is over"
    for body, parameter in (({"action": "explode"}, "action"), ({"action": "snooze", "for": "long"}, "for")):
        answer = here.client.post("/api/v1/incidents/i-slow/actions", json=body, headers=here.as_("operate"))
        assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    snoozed = here.client.post(
        "/api/v1/incidents/i-slow/actions", json={"action": "snooze", "for": "30m"}, headers=here.as_("operate")
    ).json()
    assert datetime.fromisoformat(snoozed["until"]) == here.clock.now() + timedelta(minutes=30)


def test_forecasts_baselines_and_objectives_have_their_points(here: Site) -> None:
    points = get(here, "forecasts/points", metric="tps")
    assert points["columns"][:2] == ["ts", "mean"]
    assert len(points["points"]) == 28 * 24
    baseline = get(here, "baselines/points", metric="tps")
    assert baseline["version"] == get(here, "baselines")["in_force"]["version"]
    assert baseline["columns"] == ["slot", "expected", "lower", "upper", "samples"]
    assert len({slot[0] for slot in baseline["slots"]}) == len(baseline["slots"]) > 20
    assert problem(here, "baselines/points", metric="tps", selector='service="nobody"')[0] == 404
    objective = get(here, "objectives")["objectives"][0]
    panel = series.read_panel(here.store, here.filled.start, here.filled.end, 86_400 * 2, (), ("error_rate",))
    assert objective["value"] == pytest.approx(
        float((panel["error_rate"] * panel["calls"]).sum() / panel["calls"].sum()), rel=0.05
    )
    assert objective["kept"] is (objective["value"] <= 0.05)


def test_a_silence_is_checked_before_it_is_kept(here: Site) -> None:
    for body, parameter in (
        ({"match": {}}, "match"),
        ({"match": {"rule": "~["}}, "match"),
        ({"match": {"rule": "x"}, "for": "0s"}, "for"),
        ({"match": {"rule": "x"}, "from": "2020-01-01T00:00:00Z"}, "for"),
    ):
        answer = here.client.post("/api/v1/silences", json=body, headers=here.as_("operate"))
        assert answer.status_code in (400, 422)
        assert answer.json()["parameter"] == parameter


def test_what_has_not_changed_is_not_sent_again(here: Site) -> None:
    query = {"metric": "tps", "from": here.filled.start.isoformat(), "to": here.filled.end.isoformat()}
    first = ask(here, "series", **query)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = here.client.get("/api/v1/series", params=query, headers=here.as_("read", **{"If-None-Match": f'"x", {tag}'}))
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = here.client.get(
        "/api/v1/series", params={**query, "service": "chat"}, headers=here.as_("read", **{"If-None-Match": tag})
    )
    assert other.status_code == 200


# --- Prometheus -------------------------------------------------------------------------------------------------------------

P = "prometheus/api/v1"


def test_prometheus_lines_have_the_stores_numbers(here: Site) -> None:
    end = here.filled.end - timedelta(minutes=30)
    start = end - timedelta(hours=1)
    query: dict[str, Any] = {
        "query": 'sum by (service) (tps{provider="openai"})',
        "start": start.timestamp(),
        "end": end.timestamp(),
        "step": "60",
    }
    found = get(here, f"{P}/query_range", **query)["data"]
    assert found["resultType"] == "matrix"
    panel = series.read_panel(
        here.store, start - timedelta(minutes=1), end, 60, ("service",), ("tps",), selector=Selector.of(provider="openai")
    )
    assert {line["metric"]["service"] for line in found["result"]} == set(panel["service"])
    for line in found["result"]:
        assert line["metric"] | {"service": ""} == {"__name__": "tps", "provider": "openai", "service": ""}
        own = panel[panel["service"] == line["metric"]["service"]]
        by_end = {ts.timestamp() + 60: value for ts, value in zip(own["ts"], own["tps"], strict=True)}
        assert {at: float(value) for at, value in line["values"] if float(value)} == pytest.approx(by_end)
    form = here.client.post(f"/api/v1/{P}/query_range", data=query, headers=here.as_("read")).json()
    assert form["data"] == found, "Grafana sends forms"


@pytest.mark.parametrize("metric", ["tps", "error_rate", "latency_p95", "tokens_per_s", "cost_per_h", "concurrency"])
def test_the_value_at_an_instant_is_that_of_the_last_whole_minute(here: Site, metric: str) -> None:
    at = here.filled.end - timedelta(minutes=30)
    by = "sum" if metric in ("tps", "tokens_per_s", "cost_per_h") else "avg"
    found = get(here, f"{P}/query", query=f'{by} by (service) ({metric}{{provider="openai"}})', time=at.timestamp() + 17)[
        "data"
    ]
    start = at - timedelta(minutes=5)
    panel = series.read_panel(here.store, start, at, 60, ("service",), (metric,), selector=Selector.of(provider="openai"))
    newest = panel.dropna(subset=metric).sort_values("ts").groupby("service")[metric].last().to_dict()
    told = {one["metric"]["service"]: float(one["value"][1]) for one in found["result"]}
    assert {one["value"][0] for one in found["result"]} == {at.timestamp() + 17}
    minutes = get(here, f"{P}/query", query=f'{metric}{{provider="openai",service="chat"}}[5m]', time=at.timestamp())["data"]
    own = panel[panel["service"] == "chat"].dropna(subset=metric)
    by_end = {ts.timestamp() + 60: value for ts, value in zip(own["ts"], own[metric], strict=True)}
    assert minutes["resultType"] == "matrix"
    some = {at: value for at, value in by_end.items() if value}
    assert {at: float(value) for at, value in minutes["result"][0]["values"] if float(value)} == pytest.approx(some)
    # a minute without a call has no calls a second, where it has no latency
    assert {name: value for name, value in told.items() if value} == pytest.approx(
        {name: value for name, value in newest.items() if value and (by == "avg" or told[name])}
    )


def test_the_values_of_a_label_are_the_stores(here: Site) -> None:
    end = here.filled.end
    span: dict[str, Any] = {"start": (end - timedelta(hours=6)).timestamp(), "end": end.timestamp()}
    for label in ("service", "model", "tenant"):
        for wanted in ({}, {"provider": "openai"}):
            selector = Selector.of(wanted)
            panel = series.read_panel(here.store, end - timedelta(hours=6), end, 21_600, (label,), ("tps",), selector=selector)
            more = {"match[]": 'tps{provider="openai"}'} if wanted else {}
            assert get(here, f"{P}/label/{label}/values", **span, **more)["data"] == sorted({*panel[label]} - {""})
    assert get(here, f"{P}/query_exemplars", query="tps", **span)["data"] == []


def test_prometheus_answers_what_grafana_asks_besides(here: Site) -> None:
    assert get(here, f"{P}/query", query="1+1")["data"]["result"][1] == "2.0"
    now = get(here, f"{P}/query", query="latency_p95", time=here.filled.end.timestamp())["data"]["result"]
    assert float(now[0]["value"][1]) > 0
    assert "tps" in get(here, f"{P}/label/__name__/values")["data"]
    assert "openai" in get(here, f"{P}/label/provider/values")["data"]
    assert get(here, f"{P}/label/color/values")["data"] == []
    assert "provider" in get(here, f"{P}/labels")["data"]
    assert get(here, f"{P}/series", **{"match[]": 'tps{service="chat"}'})["data"] == [{"__name__": "tps", "service": "chat"}]
    for name in ("metadata", "rules", "alerts", "status/buildinfo"):
        assert get(here, f"{P}/{name}")["status"] == "success"
    for query in ("rate(tps[5m])", "up", 'tps{service="a', "tps + tps", ""):
        answer = ask(here, f"{P}/query", query=query)
        assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    many = ask(here, f"{P}/query_range", query="tps", start="0", end="1", step="1")
    assert many.status_code == 400


# --- the description --------------------------------------------------------------------------------------------------------


def test_the_documentation_comes_from_this_host_alone(here: Site) -> None:
    page = here.client.get("/api/docs", headers=here.as_("read")).text
    assert "http:" not in page
    assert "https:" not in page
    for name, kind in (("swagger-ui-bundle.js", "javascript"), ("swagger-ui.css", "css"), ("start.js", "javascript")):
        assert f"/api/docs/{name}" in page
        file = here.client.get(f"/api/docs/{name}", headers=here.as_("read"))
        assert file.status_code == 200
        assert kind in file.headers["content-type"]


def test_answers_keep_to_the_description(here: Site) -> None:
    conforms(here, "admin", examples=2)
