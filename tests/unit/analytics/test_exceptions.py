"""What is masked is not learned; what comes again is."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from analytics.exceptions import exceptions_of_anomalies, exceptions_of_masks, leave_out
from analytics.features import Panel, stack
from analytics.fit import fit_baselines, still_learning
from analytics.summary import HourSummary, summarise
from core.masks import Mask
from core.series import Selector
from core.types import Anomaly
from tests.unit.analytics.builders import DAY, MIN_CALLS, MONDAY, seasonal_panel
from tests.unit.core.test_masks import MINUTE, NOON, anomaly, mask

HOUR = timedelta(hours=1)


def masked(summary: HourSummary, *masks: Mask) -> HourSummary:
    return leave_out(summary, exceptions_of_masks(masks))


def calls_at_noon(summary: HourSummary, day: int) -> float:
    baselines = fit_baselines(summary, "UTC", min_history=DAY, min_calls=MIN_CALLS)
    return float(np.expm1(baselines.center["tps"][0, 24 * day + 12]))


def test_a_maintenance_of_two_noons_moves_the_expectation_only_where_nobody_said_so() -> None:
    """Both Mondays that were seen were down at noon: without a mask that is a habit."""
    panel = seasonal_panel(14)
    calls = panel.calls.copy()
    for day in (0, 7):
        calls[:, day * 1440 + 12 * 60 : day * 1440 + 13 * 60] = 0.0
    hurt = summarise(replace(panel, calls=calls, values={**panel.values, "tps": calls / 60.0}), MIN_CALLS)
    masks = [
        mask(start=MONDAY + day * DAY + 12 * HOUR, end=MONDAY + day * DAY + 13 * HOUR, selector=Selector()) for day in (0, 7)
    ]
    usual = calls_at_noon(summarise(panel, MIN_CALLS), 0)
    assert calls_at_noon(hurt, 0) < 0.3 * usual
    assert calls_at_noon(masked(hurt, *masks), 0) == pytest.approx(usual, rel=0.06)


@pytest.mark.parametrize(
    ("selector", "rows"),
    [
        (Selector(), [0, 1, 2, 3]),
        (Selector.of(service="chat"), [0, 1, 2]),
        (Selector.of(service="chat", model="m"), [0, 1, 2]),
        (Selector.of(tenant="acme"), [0]),
    ],
)
def test_a_mask_is_about_its_selection_what_lies_in_it_and_what_holds_it(selector: Selector, rows: list[int]) -> None:
    names = [Selector(), Selector.of(service="chat"), Selector.of(service="chat", model="m"), Selector.of(service="search")]
    summary = summarise(stack([replace(_flat(), selectors=(name,)) for name in names]), MIN_CALLS)
    out = masked(summary, mask(start=MONDAY + 2.5 * HOUR, end=MONDAY + 3.5 * HOUR, selector=selector))
    unknown = np.isnan(out.center["tps"])
    assert sorted(set(np.flatnonzero(unknown.any(axis=1)))) == rows
    assert list(np.flatnonzero(unknown[0])) == [2, 3], "every hour that it touches"
    assert (out.minutes["tps"][unknown] == 0).all()
    np.testing.assert_array_equal(out.calls, summary.calls)


def _flat() -> Panel:
    return seasonal_panel(1)


def test_masks_beside_the_history_change_nothing() -> None:
    summary = summarise(_flat(), MIN_CALLS)
    for start, end in ((MONDAY - DAY, MONDAY), (MONDAY + DAY, MONDAY + 2 * DAY), (MONDAY + 2 * DAY, None)):
        assert masked(summary, mask(start=start, end=end, selector=Selector())) is summary


def ended(one: Anomaly, days: float = 0.0) -> Anomaly:
    return replace(one, id=str(days), started_at=one.started_at + days * DAY, last_at=one.last_at + days * DAY, ended_at=NOON)


def test_an_incident_is_left_out_but_neither_a_habit_nor_a_new_level() -> None:
    short, long_ = ended(anomaly(0, 30)), ended(anomaly(0, 500))
    assert [one.end - one.start for one in exceptions_of_anomalies([short])] == [31 * MINUTE]
    assert exceptions_of_anomalies([long_]) == []
    assert exceptions_of_anomalies([short, ended(anomaly(60, 70), 3)]) == [], "the same hour of another day"
    assert len(exceptions_of_anomalies([short, ended(anomaly(300, 310), 3)])) == 2
    assert exceptions_of_anomalies([anomaly(0, 30)]) == [], "it lasts still"


def test_only_the_metrics_that_strayed_are_left_out() -> None:
    summary = summarise(_flat(), MIN_CALLS)
    stray = replace(ended(anomaly(0, 30)), selector=Selector())
    out = leave_out(summary, exceptions_of_anomalies([stray]))
    assert list(np.flatnonzero(np.isnan(out.center["tps"][0]))) == [12]
    np.testing.assert_array_equal(out.center["latency_p50"], summary.center["latency_p50"])


def test_who_has_too_little_history_is_named() -> None:
    panel = seasonal_panel(2)
    late = panel.calls.copy()
    late[:, :1500] = 0.0
    young = replace(panel, selectors=(Selector.of(service="young"),), calls=late)
    never = replace(panel, selectors=(Selector.of(service="never"),), calls=np.zeros_like(late))
    (found,) = still_learning(summarise(stack([panel, young, never]), MIN_CALLS), 2 * DAY)
    assert (found.selector, found.have_h, found.need_h) == (Selector.of(service="young"), 23.0, 48.0)
