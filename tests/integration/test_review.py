"""Reviews: every number is what a question of the single calls or of a table gives; archived, scheduled, told, shown."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from core.changes import Change, ChangeKind
from core.clock import FakeClock
from core.config import Settings
from core.load import load_settings
from core.recommendations import Effect, Finding, Recommendation, RecommendationState
from core.series import Selector
from core.types import (
    Action,
    DeliveryState,
    Incident,
    IncidentAction,
    IncidentState,
    NotifyReason,
    RankedCause,
    Severity,
    Watermark,
)
from dashboards.server import create_app
from storage.calls import insert_calls
from storage.changes import write_changes
from storage.contract import Store
from storage.incidents import write_incidents
from storage.notifications import read_notifications
from storage.recommendations import write_recommendations
from storage.reviews import list_reviews, read_review
from storage.silences import write_actions
from storage.watermarks import write_watermarks
from tests.support.cli import one_line, run_here
from tests.support.in_process import InProcess, in_process
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch
from tpscope.making_reviews import run_reviews

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
HALF, END = START + WEEK, START + 2 * WEEK
SIZE = 6000
CONFIG = """
web: {public_url: https://tps.example}
objectives:
  - {name: fast, metric: latency_p95, selector: {service: chat}, at_most: 150}
  - {name: good, metric: error_rate, at_most: 0.05}
receivers:
  - {name: team, type: slack, url: "http://127.0.0.1:9/x"}
reviews: {receivers: [team], hour: 5, monthly: null}
"""


def rows() -> list[dict[str, Any]]:
    """Two weeks; in the second the route /chat of tenant t0 takes thrice as long, and chat costs more; /orders fails less."""
    made = []
    for place in range(SIZE):
        at = START + 2 * WEEK * (place / SIZE)
        later, chat = at >= HALF, place % 2 == 0
        made.append(
            {
                "ts": at,
                "status": 500 if place % (50 if later else 25) == 7 else 200,
                "service": "chat" if chat else "shop",
                "route": "/chat" if chat and place % 4 == 0 else "/talk" if chat else "/orders",
                "tenant": f"t{place % 3}",
                "provider": "p" if chat else "",
                "model": "m" if chat else "",
                "latency_ms": (100.0 + place % 11) * (3.0 if place % 4 == 0 and later else 1.0),
                "prompt_tokens": 100 if chat else None,
                "completion_tokens": 20 if chat else None,
                "cost_usd": 0.02 + 0.01 * later if chat else None,
            }
        )
    return made


def incident(name: str, at: datetime, told_s: float, lasted: timedelta | None) -> Incident:
    ended = None if lasted is None else at + lasted
    return Incident(
        id=name, fingerprint=name, state=IncidentState.FIRING if ended is None else IncidentState.RESOLVED, rule="r",
        kind="threshold", severity=Severity.CRITICAL, labels={"service": "chat"}, title="Latency P95 of chat is high",
        summary="", started_at=at, updated_at=ended or at, resolved_at=ended, last_notified_at=at, metric="latency_p95",
        value=1.0, threshold=1.0, unit="ms", opened_at=at + timedelta(seconds=told_s),
        causes=(RankedCause(text="route /chat", share=0.9),),
    )  # fmt: skip


def recommendation(name: str, state: RecommendationState, gain: float) -> Recommendation:
    effect = Effect(measure="m", scope=Selector(), unit="USD/h", before=3.0, after=2.0, lower=1.5, upper=2.5)
    finding = Finding(
        rule=name, selector=Selector(), about=name, action=f"Do {name}", evidence=("x",), effect=effect, gain=gain,
        gain_of="cost", confidence=0.8, verify="look",
    )  # fmt: skip
    decided = None if state is RecommendationState.OPEN else HALF + timedelta(days=1)
    return Recommendation(
        id=name, finding=finding, start=HALF, end=END, found_at=END, state=state, who="ana" if decided else "",
        why="too dear" if decided else "", decided_at=decided,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Printed:
    """What the commands said, before the store was opened here."""

    body: dict[str, Any]
    words: str
    page: str
    listed: str
    alone: str
    refused: str
    workbook: bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("review")
    with chdb_store(where) as store:
        insert_calls(store, batch(rows()))
        write_incidents(store, [incident("i1", HALF + timedelta(hours=30), 90.0, timedelta(minutes=40))], 1)
        write_incidents(store, [incident("i2", HALF + timedelta(hours=50), 150.0, None)], 1)
        write_incidents(store, [incident("i0", START + timedelta(hours=50), 60.0, timedelta(minutes=5))], 1)
        write_actions(
            store,
            [
                IncidentAction(
                    id="a",
                    incident_id="i1",
                    action=Action.ACKNOWLEDGE,
                    receiver="team",
                    at=HALF + timedelta(hours=30, minutes=5),
                )
            ],
        )
        write_changes(
            store,
            [
                Change(
                    id="c1", at=HALF, kind=ChangeKind.DEPLOY, what="chat 2.0", selector=Selector.of(service="chat"), who="ci",
                    found=False, made_at=HALF,
                )
            ],
        )  # fmt: skip
        open_, dismissed = RecommendationState.OPEN, RecommendationState.DISMISSED
        write_recommendations(store, [recommendation("cache", open_, 0.2), recommendation("split", dismissed, 0.1)])
    (where / "tpscope.yaml").write_text(CONFIG, encoding="utf-8")
    return where


@pytest.fixture(scope="module")
def printed(folder: Path) -> Printed:
    body = asked(folder, "--until", "2026-03-16T12:00:00Z", "--json", "--archive", "--to", "out.html")
    return Printed(
        body=json.loads(body),
        words=asked(folder, "show", "week-2026-03-16", "--to", "out.xlsx"),
        page=(folder / "out.html").read_text("utf-8"),
        listed=asked(folder, "list"),
        alone=asked(folder, "--until", "2026-03-09T00:00:00Z"),
        refused=one_line(run_here(folder, "review", "--to", "x.pdf", "--store", "chdb://./store")),
        workbook=(folder / "out.xlsx").read_bytes(),
    )


@pytest.fixture(scope="module")
def store(folder: Path, printed: Printed) -> Iterator[Store]:
    with chdb_store(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return load_settings(folder / "tpscope.yaml", {})


def asked(folder: Path, *options: str) -> str:
    done = run_here(folder, "review", *options, "--config", "tpscope.yaml", "--store", "chdb://./store")
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- every number -----------------------------------------------------------------------------------------------------------

SECONDS = "dateDiff('second', {start:DateTime64(3, 'UTC')}, {end:DateTime64(3, 'UTC')})"
RAW = {
    "tps": f"count() / {SECONDS}",
    "error_rate": "countIf(status >= 500) / count()",
    "latency_p50": "quantileExact(0.5)(latency_ms)",
    "latency_p95": "quantileExact(0.95)(latency_ms)",
    "latency_p99": "quantileExact(0.99)(latency_ms)",
    "tokens_per_s": f"sum(ifNull(prompt_tokens, 0) + ifNull(completion_tokens, 0)) / {SECONDS}",
    "cost_per_h": f"sum(cost_usd) * 3600 / {SECONDS}",
}
PERCENTILES = 0.012
"""Percentiles of the rollups are at most 0.5 % off; and between two calls of some spans there is as much again."""


def raw(store: Store, metric: str, of: dict[str, str], start: datetime, end: datetime) -> tuple[int, float]:
    """Calls and value by the single calls alone."""
    where = "".join(f" AND {name} = {{{name}:String}}" for name in of)
    sql = f"""SELECT toInt64(count()) AS calls, toFloat64(ifNull({RAW[metric]}, nan)) AS value FROM calls
    WHERE ts >= {{start:DateTime64(3, 'UTC')}} AND ts < {{end:DateTime64(3, 'UTC')}}{where}"""
    row = store.arrow(sql, {"start": start, "end": end, **of}).to_pylist()[0]
    return row["calls"], row["value"]


def same(metric: str, found: float | None, wanted: float) -> bool:
    if found is None:
        return math.isnan(wanted)
    return found == pytest.approx(wanted, rel=PERCENTILES if metric.startswith("latency") else 1e-9)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_compared_number_equals_a_query_of_the_calls(store: Store, printed: Printed) -> None:
    body = printed.body
    assert (at(body["before_from"]), at(body["from"]), at(body["to"])) == (START, HALF, END)
    entries = [one for name in ("totals", "worse", "better", "slowest", "costliest") for one in body[name]]
    assert len(entries) > 25
    assert {"tps", "error_rate", "latency_p95", "cost_per_h", "tokens_per_s"} <= {one["metric"] for one in body["totals"]}
    for one in entries:
        calls, value = raw(store, one["metric"], one["of"], HALF, END)
        calls_before, before = raw(store, one["metric"], one["of"], START, HALF)
        assert (one["calls"], one["calls_before"]) == (calls, calls_before), one
        assert same(one["metric"], one["value"], value), (one, value)
        assert same(one["metric"], one["before"], before), (one, before)
        assert one["change"] == pytest.approx(one["value"] / one["before"] - 1.0)
        if one["metric"] == "cost_per_h":
            assert one["usd"] == pytest.approx(value * 168)


def test_every_number_of_a_cause_equals_a_query_of_the_calls(store: Store, printed: Printed) -> None:
    parts = [one for name in ("worse", "better") for one in printed.body[name] if one["part"]]
    changes = [one for name in ("worse", "better") for one in printed.body[name] if one["since_change"]]
    assert parts
    assert changes
    for one in parts:
        part = one["part"]
        calls, value = raw(store, one["metric"], part["of"], HALF, END)
        calls_before, before = raw(store, one["metric"], part["of"], START, HALF)
        assert same(one["metric"], part["value"], value)
        assert same(one["metric"], part["before"], before)
        if one["metric"] == "error_rate":
            moved = value * calls / one["calls"] - before * calls_before / one["calls_before"]
            assert part["share"] == pytest.approx(moved / (one["value"] - one["before"]))
        if one["metric"] == "cost_per_h":
            assert part["share"] == pytest.approx((value - before) / (one["value"] - one["before"]))
    for one in changes:
        change = one["since_change"]
        assert same(one["metric"], change["after"], raw(store, one["metric"], one["of"], at(change["at"]), END)[1])
        assert same(one["metric"], change["before"], raw(store, one["metric"], one["of"], START, at(change["at"]))[1])
    talk = next(one for one in printed.body["worse"] if one["of"] == {"service": "chat"} and one["metric"] == "latency_p95")
    assert talk["part"]["of"] == {"service": "chat", "route": "/chat"}
    assert talk["since_change"]["words"] == "deploy: chat 2.0 (service chat)"
    assert "Latency P95 of chat is high; cause: route /chat" in talk["incident"]


def test_the_other_numbers_equal_the_tables_they_come_from(store: Store, printed: Printed) -> None:
    body = printed.body
    for one in body["days"]:
        day = at(one["day"])
        assert one["tps"] == pytest.approx(raw(store, "tps", {}, day, day + timedelta(days=1))[1])
    assert len(body["days"]) == 14
    fast, good = body["objectives"]
    assert same("latency_p95", fast["value"], raw(store, "latency_p95", {"service": "chat"}, HALF, END)[1])
    assert same("latency_p95", fast["before"], raw(store, "latency_p95", {"service": "chat"}, START, HALF)[1])
    assert good["value"] == pytest.approx(raw(store, "error_rate", {}, HALF, END)[1])
    assert (fast["kept"], fast["target"], good["kept"], good["target"]) == (False, 150.0, True, 0.05)
    whole = raw(store, "error_rate", {}, START, END)[1]  # a budget is of the objective's own window, 30 days
    assert good["budget_left"] == pytest.approx(1.0 - whole / 0.05)
    for one in body["trends"]:
        span = [(END - timedelta(days=28 - place), END - timedelta(days=27 - place)) for place in range(28)]
        daily = [raw(store, one["metric"], one["of"], start, end)[1] for start, end in span]
        assert all(same(one["metric"], found, wanted) for found, wanted in zip(one["values"], daily, strict=True))
        known = [(place, value) for place, value in enumerate(one["values"]) if value is not None]
        assert one["days"] == len(known) == 14
        slopes = [(b - a) / (j - i) for n, (i, a) in enumerate(known) for j, b in known[n + 1 :]]
        assert one["growth"] == pytest.approx(median(slopes) * 13 / median(value for _, value in known))
    assert {(one["metric"], one["of"]["service"]) for one in body["trends"]} >= {("latency_p95", "chat")}
    sql = """SELECT id, toFloat64(dateDiff('second', started_at, opened_at)) AS told,
        if(resolved_at IS NULL, NULL, toFloat64(dateDiff('second', started_at, resolved_at))) AS lasted FROM incidents
    WHERE started_at >= {start:DateTime64(3, 'UTC')} AND started_at < {end:DateTime64(3, 'UTC')} ORDER BY started_at"""
    wanted = store.arrow(sql, {"start": HALF, "end": END}).to_pylist()
    assert [(one["id"], one["detected_s"], one["lasted_s"]) for one in body["incidents"]] == [
        (row["id"], row["told"], row["lasted"]) for row in wanted
    ]
    assert [one["acknowledged_s"] for one in body["incidents"]] == [210.0, None]
    assert body["incidents_before"] == len(store.arrow(sql, {"start": START, "end": HALF}))
    kept = "SELECT id, state, JSONExtractFloat(finding, 'gain') AS gain FROM recommendations ORDER BY gain DESC"
    assert [(one["id"], one["state"], one["gain"]) for one in body["recommendations"]] == [
        (row["id"], row["state"], row["gain"]) for row in store.arrow(kept).to_pylist()
    ]
    assert (body["limits"], body["costs"]) == ([], [])


# --- what people read -------------------------------------------------------------------------------------------------------


def test_what_got_worse_and_why_leads_and_the_page_stands_alone(printed: Printed) -> None:
    words, page = printed.words, printed.page
    assert words.startswith("Weekly review, 9 to 15 Mar 2026: 1 of 2 objectives kept, 2 incidents, worse: ")
    assert re.search(r"Worse: Latency P95 of .*chat: 1\d\d ms → 3\d\d ms", words)
    assert "Why: " in words
    assert "Objective missed: fast" in words
    assert "Incidents: 2 (1 in the week before), told after 2 min, 1 acknowledged after 3 min, over after 40 min" in words
    assert "To do: Do cache (gain: 20% of cost)" in words
    assert "What got worse, and why" in page
    assert not re.search(r"(?:src)=|<script|@import|url\(", page)
    assert set(re.findall(r"href='(https?://[^/']+)", page)) == {"https://tps.example"}
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", page)
    assert "must end in .html, .json or .xlsx" in printed.refused
    assert printed.workbook.startswith(b"PK")


def test_a_first_week_says_that_there_is_nothing_to_compare_with(printed: Printed) -> None:
    assert (
        "Nothing to compare with: there was no call in the week before (the store's first is of 2026-03-02 00:00)"
        in printed.alone
    )
    assert "Calls: 3,000" in printed.alone
    assert "%)" not in printed.alone.split("Incidents")[0].split("Objective")[0]


# --- archive, schedule, messages, API ---------------------------------------------------------------------------------------


def test_a_review_made_again_is_a_new_version_and_the_old_one_stays(store: Store, printed: Printed) -> None:
    assert re.search(r"week-2026-03-16  version 1 .* Weekly review, 9 to 15 Mar 2026", printed.listed)
    first = read_review(store, "week-2026-03-16", 1)
    assert first is not None
    assert first.page == printed.page
    assert {**json.loads(first.body), "made_at": ""} == {**printed.body, "made_at": ""}


def test_the_job_waits_for_the_calls_makes_each_review_once_and_tells_it(store: Store, settings: Settings) -> None:
    def run(now: datetime) -> tuple[int, str]:
        report = run_reviews(store, FakeClock(now), settings, 1)
        return report.items, report.note

    morning = END + timedelta(hours=5, minutes=10)
    assert run(END + timedelta(hours=4)) == (1, "")  # not yet five: that is the week before, which nobody has reviewed
    assert read_notifications(store, "week-2026-03-09") == []  # and which is no news any more
    mark: dict[str, Any] = {"topic": "t", "partition": 0, "next_offset": 1, "delay_s": 1.0}
    write_watermarks(store, [Watermark(event_at=END - timedelta(minutes=3), arrived_at=morning, **mark)])
    assert run(morning) == (0, "week-2026-03-16 waits: calls have arrived up to 2026-03-15 23:57 UTC")
    write_watermarks(store, [Watermark(event_at=END + timedelta(minutes=3), arrived_at=morning, **mark)])
    assert run(morning) == (1, "")
    assert run(morning + timedelta(hours=1)) == (0, "")
    made = [(one.id, one.version, one.made_by) for one in list_reviews(store) if one.made_by == "schedule"]
    assert made == [("week-2026-03-16", 2, "schedule"), ("week-2026-03-09", 1, "schedule")]
    [told] = read_notifications(store, "week-2026-03-16")
    assert (told.receiver, told.reason, told.state) == ("team", NotifyReason.REVIEW, DeliveryState.PENDING)
    assert "https://tps.example/reviews/week-2026-03-16" in told.payload
    assert "Weekly review, 9 to 15 Mar 2026" in told.payload


def test_the_archive_is_read_by_page_and_api(store: Store, settings: Settings) -> None:
    with in_process(create_app(store, settings, FakeClock(END + timedelta(hours=6)), token=None)) as web:
        listed = web.get("/api/v1/reviews", params={"kind": "week"}).json()["reviews"]
        assert ("week-2026-03-16", 1) in [(one["id"], one["version"]) for one in listed]
        one = web.get("/api/v1/reviews/week-2026-03-16?version=1").json()
        assert one["review"]["id"] == one["id"] == "week-2026-03-16"
        page = web.get("/reviews/week-2026-03-16?version=1")
        assert page.text == read_text(web, "/api/v1/reviews/week-2026-03-16/page?version=1")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert web.get("/api/v1/reviews/week-2026-03-16/tables").content.startswith(b"PK")
        assert "/reviews/week-2026-03-16" in web.get("/reviews").text
        for address in ("/reviews/week-1", "/api/v1/reviews/week-2026-03-16?version=99"):
            assert web.get(address).status_code == 404


def read_text(web: InProcess, address: str) -> str:
    return web.get(address).text
