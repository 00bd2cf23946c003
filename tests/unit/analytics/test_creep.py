"""Change over days is found where it lasts and matters, and told as one thing for as long as it goes on."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.creep import creeping
from analytics.drifting import SLOW_DRIFT, Days, judge_days
from analytics.features import Floats
from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly
from tests.unit.analytics.builders import DAY, MONDAY

CHAT, ROUTE, OTHER = Selector.of(service="chat"), Selector.of(route="/chat"), Selector.of(service="other")
SELECTORS = (ALL_CALLS, CHAT, ROUTE, OTHER)
WEEKDAY = np.arange(28) % 7
CALM = 10


def levels(rng: np.random.Generator, days: int, wander: float = 0.04) -> Floats:
    """Of the selections by day and hour: a shape of the day, quieter weekends, days that wander."""
    shape = 100.0 * (1.0 + 0.4 * np.sin(2 * np.pi * np.arange(24) / 24)) * np.where(WEEKDAY[:days, None] >= 5, 0.8, 1.0)
    days_at = np.exp(rng.normal(0.0, wander, (len(SELECTORS), days, 1)))
    return np.asarray(shape * days_at * rng.lognormal(0.0, 0.05, (len(SELECTORS), days, 24)))


def grown(days: int, total: float) -> Floats:
    """A factor that grows over ten days after `CALM` others."""
    return np.asarray(np.exp(np.log(total) * np.clip((np.arange(days) - CALM + 0.5) / 10.0, 0.0, 1.0))[:, None])


def judged(days: int, seed: int = 1, standing: tuple[Anomaly, ...] = (), **factors: tuple[int, Floats]) -> list[Anomaly]:
    """The verdict after so many days; `factors` change one row of a metric."""
    rng = np.random.default_rng(seed)
    values = {metric: levels(rng, 28)[:, :days] for metric in ("latency_p50", "latency_p95", "concurrency")}
    values["tps"] = levels(rng, 28)[:, :days] / 50.0
    for metric, (row, factor) in factors.items():
        values[metric][row] *= factor[:days]
    first = max(days - 14, 0)
    cut = {metric: matrix[:, first:] for metric, matrix in values.items()}
    end = MONDAY + days * DAY
    return judge_days(Days(selectors=SELECTORS, weekday=WEEKDAY[first:days], values=cut, end=end), standing, end)


@pytest.mark.parametrize(("total", "latest"), [(1.5, 8), (2.0, 6), (3.0, 5)])
def test_a_creep_is_found_within_its_days_and_described(total: float, latest: int) -> None:
    found = [judged(CALM + day, latency_p50=(1, grown(28, total))) for day in range(1, 11)]
    first = next(day for day, told in enumerate(found, 1) if told)
    assert 2 < first <= latest
    (one,) = found[first - 1]
    assert (one.selector, one.metric, one.direction, one.hint) == (CHAT, "latency_p50", Direction.HIGH, SLOW_DRIFT)
    assert one.score >= 1.0
    assert one.lower < one.expected < one.upper < one.observed
    assert one.explanation.startswith("Latency P50 of service chat crept up from 9") or "crept up from" in one.explanation
    assert "% a day over" in one.evidence


def test_it_keeps_its_identity_while_it_goes_on_and_ends_once_level() -> None:
    standing: tuple[Anomaly, ...] = ()
    ids, ended = set[str](), 0
    for day in range(1, 19):
        told = judged(CALM + day, standing=standing, latency_p50=(1, grown(28, 2.0)))
        ids.update(one.id for one in told)
        ended += sum(one.ended_at is not None for one in told)
        standing = tuple(one for one in told if one.ended_at is None)
    assert len(ids) == 1
    assert ended <= 1


def test_a_step_is_told_as_one_with_its_day() -> None:
    step = np.where(np.arange(28) >= CALM + 5, 1.8, 1.0)[:, None]
    told = [one for day in range(6, 12) for one in judged(CALM + day, latency_p50=(1, step))]
    assert told
    assert all("stepped up" in one.explanation and "one step on 2026-03-17" in one.evidence for one in told)


def test_throughput_that_falls_while_more_is_in_flight() -> None:
    down, up = grown(28, 1 / 2.5), grown(28, 2.0)
    (one,) = judged(CALM + 8, tps=(2, down), concurrency=(2, up))
    assert (one.selector, one.metric, one.direction) == (ROUTE, "tps", Direction.LOW)
    assert "meanwhile more calls are in flight" in one.explanation
    assert judged(CALM + 8, tps=(2, down)) == [], "fewer calls alone are no trouble"


def test_calm_weeks_tell_nothing_and_neither_does_what_gets_faster() -> None:
    assert [one for seed in range(6) for day in range(7, 28, 2) for one in judged(day, seed)] == []
    assert judged(CALM + 8, latency_p50=(1, grown(28, 0.4))) == []


def test_few_days_tell_nothing() -> None:
    for days in range(1, 6):
        assert judged(days, latency_p50=(1, np.exp(0.4 * np.arange(28))[:, None])) == []


@given(arrays(np.float64, (2, 14, 24), elements=st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e-9, 50.0, 70.0, 1e9])))
def test_whatever_hours_are_like_the_scores_are_finite(values: Floats) -> None:
    found = creeping(values, WEEKDAY[:14])
    assert np.isfinite(found.score).all()
    assert (found.score >= 0.0).all()
    again = creeping(np.where(np.isfinite(values), 3.0 * values, values), WEEKDAY[:14])
    np.testing.assert_allclose(again.score, found.score, atol=1e-6, err_msg="the unit is no matter")
    assert timedelta(days=14) >= timedelta(days=int(found.days.max()))
