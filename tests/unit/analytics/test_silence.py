"""Silence is judged by the calls that were missed, minute by minute."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analytics.baseline import Baselines, Expected
from analytics.features import Floats, counting_variance, transform
from analytics.silence import Silence, score_silence, usual_gaps, widen_by_gaps
from core.calendars import SLOTS
from core.series import Selector

NAMES = ["a", "b"]


def expected(rates: list[float], minutes: int) -> Expected:
    """Rates in calls a minute."""
    calls = np.repeat(np.array(rates)[:, None], minutes, axis=1)
    center = {"tps": transform("tps", calls / 60.0)}
    return Expected(center=center, flat=center, scale={"tps": np.sqrt(counting_variance("tps", calls))}, calls=calls)


def alive(rows: int) -> Silence:
    return Silence(missed=np.zeros(rows), minutes=np.zeros(rows, dtype=np.int64))


def first_alarm(scores: Floats) -> int:
    return int(np.argmax(scores[0] >= 1.0)) + 1 if (scores[0] >= 1.0).any() else 0


@pytest.mark.parametrize(("rate", "minutes"), [(60.0, 1), (25.0, 1), (10.0, 2), (3.0, 5), (1.0, 15)])
def test_the_rarer_the_calls_the_longer_the_silence_must_last(rate: float, minutes: int) -> None:
    scores, _ = score_silence(np.zeros((1, 60)), expected([rate], 60), alive(1))
    assert minutes <= first_alarm(scores) <= minutes + 1
    chance = stats.poisson.pmf(0, rate * (first_alarm(scores) - 1)) if first_alarm(scores) > 1 else 1.0
    assert chance > 1e-7, "no later than the odds demand"


def test_so_few_calls_prove_nothing() -> None:
    scores, _ = score_silence(np.zeros((1, 600)), expected([0.1], 600), alive(1))
    assert scores.max() == 0.0


def test_a_call_ends_it_and_what_was_never_seen_is_not_missed() -> None:
    calls = np.zeros((2, 30))
    calls[:, 20] = 1.0
    scores, after = score_silence(calls, expected([20.0, 20.0], 30), Silence.unseen(2))
    assert np.isnan(scores[:, :20]).all(), "nothing tells that it was alive"
    assert scores[0, 20] == 0.0
    assert scores[0, 25] > 1.0
    assert after.minutes.tolist() == [9, 9]


def test_after_a_day_it_is_gone() -> None:
    scores, after = score_silence(np.zeros((1, 2000)), expected([50.0], 2000), alive(1))
    assert scores[0, 1400] > 1.0
    assert np.isnan(scores[0, 1500])
    assert after.missed[0] == 0.0


def test_an_office_that_opens_at_eight_is_not_silent_at_ten_to_eight() -> None:
    glide = expected([20.0], 30)
    stepped = Expected(center=glide.center, flat={"tps": np.zeros((1, 30))}, scale=glide.scale, calls=glide.calls)
    assert score_silence(np.zeros((1, 30)), stepped, alive(1))[0].max() == 0.0


def test_when_the_office_closes_silence_is_forgotten() -> None:
    rates = np.concatenate([np.full(10, 20.0), np.zeros(50)])[None, :]
    center = {"tps": transform("tps", rates / 60.0)}
    model = Expected(center=center, flat=center, scale={"tps": np.full((1, 60), 0.3)}, calls=rates)
    scores, _ = score_silence(np.zeros((1, 60)), model, alive(1))
    assert scores[0, 9] > 1.0
    assert scores[0, 59] < 1.0


def test_selections_that_come_in_bursts_may_pause_as_usual() -> None:
    days = 3
    bursts = np.zeros((2, days * 1440))
    bursts[0, np.arange(days * 1440) % 30 < 5] = 12.0  # five minutes of calls, then nothing for 25
    bursts[1] = 2.0
    bursts[1, 2000:2060] = 0.0  # one incident on one day
    model = expected([2.0, 2.0], days * 1440)
    gaps = usual_gaps(bursts, model)
    assert gaps[0] == pytest.approx(50.0)
    assert gaps[1] == 0.0
    flat = {"tps": np.repeat(model.center["tps"][:, :1], SLOTS, axis=1)}
    selectors = (Selector.of(tenant="a"), Selector.of(tenant="b"))
    scale = {"tps": np.repeat(model.scale["tps"][:, :1], SLOTS, axis=1)}
    before = Baselines(selectors=selectors, time_zone="UTC", center=flat, scale=scale, samples=scale)
    after = widen_by_gaps(before, gaps)
    times = pd.date_range("2026-03-02", periods=60, freq="min", tz="UTC")
    pause = np.zeros((2, 60))
    told, _ = score_silence(pause, before.at(times), alive(2))
    spared, _ = score_silence(pause, after.at(times), alive(2))
    assert told[0, 24] > 1.0
    assert spared[0, 24] < 0.7
    np.testing.assert_array_equal(spared[1], told[1])


def test_in_one_span_or_in_several_with_json_between() -> None:
    rng = np.random.default_rng(4)
    calls = (rng.random((2, 200)) < 0.1).astype(float)
    model = expected([2.0, 0.5], 200)
    whole, end = score_silence(calls, model, alive(2))
    state, parts = alive(2), []
    for minute in range(200):
        one = Expected(
            center={"tps": model.center["tps"][:, [minute]]},
            flat={"tps": model.flat["tps"][:, [minute]]},
            scale={"tps": model.scale["tps"][:, [minute]]},
            calls=model.calls[:, [minute]],
        )
        scores, state = score_silence(calls[:, [minute]], one, state)
        state = Silence.from_json(json.loads(json.dumps(state.to_json(NAMES))), NAMES)
        parts.append(scores)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-3)
    assert state.minutes.tolist() == end.minutes.tolist()
