from datetime import timedelta
from typing import Any

import pytest

from core.clock import FakeClock
from core.config import DetectionSettings, ForecastSettings, Settings
from dashboards.api.health import allowance, lateness
from dashboards.context import Web
from tests.unit.dashboards.builders import NOON, a_job


def web(**parts: Any) -> Web:
    nothing: Any = None
    return Web(store=nothing, settings=Settings(**parts), clock=FakeClock(NOON))


@pytest.mark.parametrize(
    ("job", "late"),
    [
        (a_job(name="detection", last_success_at=NOON - timedelta(minutes=9)), False),
        (a_job(name="detection", last_success_at=NOON - timedelta(minutes=11)), True),
        (a_job(name="forecasts", last_success_at=NOON - timedelta(hours=47)), False),
        (a_job(name="forecasts", last_success_at=NOON - timedelta(hours=49)), True),
        (a_job(name="baselines", last_success_at=NOON - timedelta(hours=11)), False),
        (a_job(name="alerts", last_success_at=None, last_error_at=NOON, last_error="no store"), True),
        (a_job(name="alerts", last_success_at=None), False),
        (a_job(name="leader", last_success_at=NOON - timedelta(days=9)), False),
        (a_job(name="delivery", last_success_at=NOON - timedelta(days=9)), False),
    ],
)
def test_a_job_is_late_after_twice_its_interval(job: Any, late: bool) -> None:
    assert bool(lateness(job, web())) is late


def test_a_job_that_was_turned_off_is_not_late() -> None:
    old = NOON - timedelta(days=30)
    off = web(detection=DetectionSettings(enabled=False), forecast=ForecastSettings(enabled=False))
    for name in ("detection", "baselines", "forecasts"):
        assert lateness(a_job(name=name, last_success_at=old), off) == ""
    assert lateness(a_job(name="alerts", last_success_at=old), off) == "job alerts has not succeeded since 2026-01-31T12:00:00Z"


def test_the_last_error_is_told() -> None:
    job = a_job(name="alerts", last_success_at=None, last_error_at=NOON, last_error="no store")
    assert lateness(job, web()) == "job alerts has failed since it was started: no store"


def test_a_short_interval_has_ten_minutes() -> None:
    assert allowance("alerts", web()) == timedelta(minutes=10)
