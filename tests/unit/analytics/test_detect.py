"""What is judged, in which direction, from which effect on, and that nothing looks ahead."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.detect import Verdicts, judge, severity_of, with_silence, with_steady
from analytics.detector import DetectorState, judge_span
from analytics.features import Panel
from core.series import ALL_CALLS, Selector
from tests.support.traffic import Incident
from tests.unit.analytics.builders import DAY, MIN_CALLS, MONDAY, SETTINGS, traffic_panel
from tests.unit.analytics.conftest import Learned


@pytest.fixture(scope="module")
def hour(learned: Learned) -> Panel:
    """An ordinary hour around noon of the first day that was not learned."""
    start = learned.days * 1440 + 12 * 60
    panel = traffic_panel(learned.traffic.panels(learned.days, learned.days + 1), learned.days, learned.days + 1)
    return panel.slice(start - learned.days * 1440, start - learned.days * 1440 + 60)


def score_of(learned: Learned, panel: Panel, selector: Selector, minute: int = 30) -> float:
    verdicts = judge(panel, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    return float(verdicts.score[verdicts.selectors.index(selector), minute])


def changed(panel: Panel, selector: Selector, metric: str, factor: float, add: float = 0.0) -> Panel:
    """The panel with one series moved in minute 30."""
    row = panel.selectors.index(selector)
    values = {name: matrix.copy() for name, matrix in panel.values.items()}
    values[metric][row, 30] = values[metric][row, 30] * factor + add
    calls = panel.calls.copy()
    if metric == "tps":
        calls[row, 30] *= factor
    return replace(panel, values=values, calls=calls)


@pytest.mark.parametrize(
    ("metric", "bad", "good"),
    [
        ("latency_p95", 8.0, 0.2),
        ("latency_p50", 8.0, 0.2),
        ("cost_per_h", 8.0, 0.1),
        ("cache_hit_rate", 0.0, 1.9),
    ],
)
def test_only_the_bad_side_is_anomalous(learned: Learned, hour: Panel, metric: str, bad: float, good: float) -> None:
    chat = Selector.of(service="chat")
    assert score_of(learned, changed(hour, chat, metric, bad), chat) >= 1.0
    assert score_of(learned, changed(hour, chat, metric, good), chat) < 1.0
    assert score_of(learned, hour, chat) < 1.0


def test_what_is_out_again_and_again_needs_no_second_judge(learned: Learned, hour: Panel) -> None:
    """A forest that finds nothing unusual does not hide a series that leaves its range in two of three minutes."""
    chat = Selector.of(service="chat")

    def blind(first: int, last: int) -> Verdicts:
        verdicts = judge(hour.slice(first, last), learned.trained.baselines, learned.trained.forest, MIN_CALLS)
        strengths = np.zeros(verdicts.strengths.shape)
        strengths[verdicts.metrics.index("tps"), verdicts.selectors.index(chat)] = out[first:last]
        nothing = np.zeros_like(verdicts.score)
        return replace(verdicts, strengths=strengths, score=nothing, sure=nothing > 0)

    out = np.zeros(60)
    out[[10, 20, 22, 23, 40]] = 1.2
    whole = with_steady(blind(0, 60))
    row = whole.selectors.index(chat)
    assert np.flatnonzero(whole.score[row] >= 1.0).tolist() == [22, 23]
    assert whole.sure[row, 22]
    assert with_steady(blind(22, 60), blind(16, 22)).score == pytest.approx(whole.score[:, 22:])


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_calls_are_judged_on_both_sides(learned: Learned, hour: Panel, factor: float) -> None:
    assert score_of(learned, changed(hour, ALL_CALLS, "tps", factor), ALL_CALLS) > 1.0


def test_an_effect_that_does_not_matter_is_not_judged_however_sure_it_is(learned: Learned, hour: Panel) -> None:
    huge = replace(
        hour,
        calls=hour.calls * 1.25,
        values={**hour.values, "tps": hour.values["tps"] * 1.25},
    )
    narrow = replace(
        learned.trained.baselines,
        scale={**learned.trained.baselines.scale, "tps": np.full_like(learned.trained.baselines.scale["tps"], 0.02)},
    )
    verdicts = judge(huge, narrow, learned.trained.forest, MIN_CALLS)
    assert verdicts.score[verdicts.selectors.index(ALL_CALLS)].max() < 1.0


def test_ratios_of_few_calls_are_not_judged(learned: Learned, hour: Panel) -> None:
    tenant = Selector.of(tenant="tenant-30")
    row = hour.selectors.index(tenant)
    calls, errors = hour.calls.copy(), hour.values["error_rate"].copy()
    calls[row, 30], errors[row, 30] = 4.0, 1.0
    few = replace(hour, calls=calls, values={**hour.values, "error_rate": errors})
    verdicts = judge(few, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    index = verdicts.selectors.index(tenant)
    assert verdicts.strengths[verdicts.metrics.index("error_rate"), index, 30] == 0.0
    calls[row, 30] = 12.0
    assert score_of(learned, few, tenant) > 1.0


def test_silence_needs_no_second_judge(learned: Learned, hour: Panel) -> None:
    verdicts = judge(hour, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    silence = np.zeros(verdicts.score.shape)
    silence[3, 10] = 1.3
    heard = with_silence(verdicts, silence)
    assert heard.score[3, 10] == 1.3
    assert heard.sure[3, 10]
    assert heard.minute(10).strengths[heard.metrics.index("tps"), 3] == 1.3
    np.testing.assert_array_equal(heard.score[:, :10], verdicts.score[:, :10])


def test_severity_is_smooth_and_half_at_the_edge() -> None:
    assert severity_of(0.0) == 0.0
    assert severity_of(1.0) == 0.5
    scores = [severity_of(score / 10) for score in range(100)]
    assert scores == sorted(scores)
    assert scores[-1] < 1.0


def test_minutes_in_one_span_or_one_by_one_bring_the_same_and_nothing_looks_ahead(learned: Learned) -> None:
    first = learned.days
    noon = first * 1440 + 12 * 60
    faults = (
        Incident(kind="provider_failure", start=noon + 20, minutes=15, target=1, magnitude=0.9),
        Incident(kind="silent_route", start=noon + 70, minutes=20, target=6),
    )
    panel = traffic_panel(learned.traffic.panels(first, first + 1, faults), first, first + 1).slice(12 * 60, 14 * 60)
    whole_state, whole = judge_span(learned.trained, panel, DetectorState(), SETTINGS)
    state, last = DetectorState(), {}
    for minute in range(panel.minutes):
        state, found = judge_span(learned.trained, panel.slice(minute, minute + 1), state, SETTINGS)
        restored = DetectorState.from_json(state.to_json())
        assert restored is not None
        state = restored
        last.update({anomaly.id: anomaly for anomaly in found})
        if minute == 40:
            _, prefix = judge_span(learned.trained, panel.slice(0, 41), DetectorState(), SETTINGS)
            assert {anomaly.id: anomaly for anomaly in prefix} == last
    assert last == {anomaly.id: anomaly for anomaly in whole}
    assert len(whole) == 2
    assert state.runs == whole_state.runs


def test_a_state_of_another_format_is_started_anew() -> None:
    assert DetectorState.from_json(None) is None
    assert DetectorState.from_json({"runs": {}, "silence": None}) is None
    assert DetectorState.from_json(DetectorState().to_json()) == DetectorState()


def test_times_of_a_minute_are_its_start(learned: Learned, hour: Panel) -> None:
    verdicts = judge(hour, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    start = MONDAY + learned.days * DAY
    assert (verdicts.minute(5).at - start).total_seconds() == (12 * 60 + 5) * 60
