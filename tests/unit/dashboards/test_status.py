import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from plotly.utils import PlotlyJSONEncoder

from dashboards.pages.status import status_foot, status_line
from dashboards.queries import Freshness
from dashboards.status import Status
from tests.unit.dashboards.builders import NOON, a_job, an_incident

UTC = ZoneInfo("UTC")


def status(**changed: Any) -> Status:
    fresh = Freshness(newest=NOON, complete_until=NOON, first=NOON)
    values: dict[str, Any] = {"now": NOON, "freshness": fresh, "dead_letters": {}, "jobs": (), "firing": ()}
    return Status(**{**values, **changed})


def written(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def test_data_are_live_for_some_minutes() -> None:
    assert status(now=NOON + timedelta(minutes=4)).fresh
    assert not status(now=NOON + timedelta(minutes=4, seconds=1)).fresh
    assert status(now=NOON).age == timedelta(0)
    none = status(freshness=Freshness(newest=None, complete_until=None, first=None))
    assert (none.age, none.fresh) == (None, False)


def test_the_line_says_live_stale_or_nothing() -> None:
    assert "● live" in written(status_line(status(), UTC))
    assert "newest calls" in written(status_line(status(now=NOON + timedelta(hours=1)), UTC))
    assert "no calls yet" in written(
        status_line(status(freshness=Freshness(newest=None, complete_until=None, first=None)), UTC)
    )
    assert "2 firing" in written(status_line(status(firing=(an_incident(), an_incident())), UTC))


def test_the_foot_counts_dead_letters_and_shows_the_clocks_jobs() -> None:
    jobs = (
        a_job(name="detection", last_success_at=NOON - timedelta(seconds=8)),
        a_job(name="leader", last_success_at=NOON - timedelta(days=3)),
    )
    foot = written(status_foot(status(dead_letters={"not_json": 1200, "bad_ts": 34}, jobs=jobs), UTC))
    assert "1,234 dead letters" in foot
    assert "not_json 1200, bad_ts 34" in foot
    assert "detection 8 s ago" in foot
    assert "leader" not in foot


def test_a_job_that_failed_is_always_shown() -> None:
    job = a_job(name="leader", last_success_at=NOON - timedelta(days=3), last_error_at=NOON, last_error="no broker")
    foot = written(status_foot(status(jobs=(job,)), UTC))
    assert "▲ leader: failed, last success 3 d ago" in foot
    assert "no broker" in foot
