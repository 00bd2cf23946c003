"""Recommendations from the job to commands and the API: found, decided, and measured against what came."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.recommendation_job import run_recommendations
from core.clock import FakeClock
from core.config import Settings
from core.recommendations import RecommendationState, Verdict
from dashboards.api.recommendations import Decision, decide_on
from dashboards.context import Web
from dashboards.problems import Problem
from storage.calls import insert_calls
from storage.recommendations import read_recommendations
from tests.support.cli import one_line, run_here
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch

START = datetime(2026, 3, 2, tzinfo=UTC)
HALF_DAY = timedelta(hours=12)
SIZE = 4000


def rows(start: datetime, upstream_ms: float) -> list[dict[str, object]]:
    """Half a day on four routes; on one of them the gateway takes what is left of 100 ms."""
    return [
        {
            "ts": start + HALF_DAY * (place / SIZE),
            "status": 200,
            "route": f"/r{place % 4}",
            "latency_ms": 100.0,
            "upstream_ms": upstream_ms if place % 4 == 1 else 97.0,
        }
        for place in range(SIZE)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the job found one thing, somebody accepted it, and half a day later it was measured."""
    where = tmp_path_factory.mktemp("recommend")
    settings, clock = Settings(), FakeClock(START + HALF_DAY)
    with chdb_store(where) as store:
        insert_calls(store, batch(rows(START, 20.0)))
        report = run_recommendations(store, clock, settings, 1)
        assert report.items == 1
        [one] = read_recommendations(store)
        assert (one.finding.rule, one.state) == ("gateway_bottleneck", RecommendationState.OPEN)
        web = Web(store=store, settings=settings, clock=clock)
        with pytest.raises(Problem, match="why"):
            decide_on(web, one.id, Decision(decision="dismiss", who="me"))
        assert decide_on(web, one.id, Decision(decision="accept", who="me"))["state"] == "accepted"
        clock.advance(HALF_DAY)
        late = [{**row, "latency_ms": 25.0 if row["route"] == "/r1" else 100.0} for row in rows(START + HALF_DAY, 22.0)]
        insert_calls(store, batch(late, SIZE))
        run_recommendations(store, clock, settings, 1)
        [after] = read_recommendations(store)
        assert after.state is RecommendationState.ACCEPTED
        assert after.outcome is not None
        assert after.outcome.verdict is Verdict.KEPT
        assert after.outcome.measured == pytest.approx(25.0)
    return where


def recommend(folder: Path, *arguments: str) -> tuple[int, str]:
    done = run_here(folder, "recommend", *arguments, "--store", "chdb://./store")
    return done.returncode, done.stdout


def test_commands_list_show_and_dismiss(folder: Path) -> None:
    code, out = recommend(folder, "list", "--json")
    [one] = json.loads(out)["recommendations"]
    assert code == 0
    assert one["effect"]["before"] == pytest.approx(100.0)
    code, out = recommend(folder, "show", one["id"])
    assert "the prediction was kept" in out
    assert "evidence" in out
    code, _ = recommend(folder, "dismiss", one["id"], "--why", "we keep the plugin")
    assert code == 0
    assert "nothing is recommended" in recommend(folder, "list")[1]
    assert "we keep the plugin" in recommend(folder, "list", "--all")[1]


def test_an_unknown_one_is_one_line(folder: Path) -> None:
    assert "there is no recommendation 'x'" in one_line(run_here(folder, "recommend", "show", "x", "--store", "chdb://./store"))
