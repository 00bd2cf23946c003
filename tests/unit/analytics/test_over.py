"""Windows hold for minutes what single minutes showed: with these it ends, and with it what they alone could not show."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from analytics.baseline import Expected
from analytics.detect import SHARP_MINUTES, Verdicts, with_sustained
from analytics.features import DETECTION_METRICS, transform
from analytics.sustained import Sustained
from core.series import ALL_CALLS, Selector
from tests.unit.analytics.builders import MONDAY

ERRORS = DETECTION_METRICS.index("error_rate")
LOUD, FEW, OTHER = 0, 1, 2
SELECTORS = (ALL_CALLS, Selector.of(route="/few"), Selector.of(route="/other"))
USUAL = {"tps": 1.0, "error_rate": 0.01, "rate_limited_rate": 0.01, "cache_hit_rate": 0.5}
MINUTES = 12


def judged(out: Mapping[int, Sequence[int]], minutes: int = MINUTES) -> Verdicts:
    """Minutes as expected, but for the error rate of the given rows in the given minutes."""
    shape = (len(SELECTORS), minutes)
    values = {name: np.full(shape, USUAL.get(name, 100.0)) for name in DETECTION_METRICS}
    center = {name: transform(name, matrix) for name, matrix in values.items()}
    strengths = np.zeros((len(DETECTION_METRICS), *shape))
    for row, at in out.items():
        strengths[ERRORS, row, list(at)] = 2.0
    calls = np.full(shape, 60.0)
    return Verdicts(
        selectors=SELECTORS, metrics=DETECTION_METRICS, start=MONDAY, calls=calls, values=values,
        expected=Expected(center=center, flat=center, scale=center, calls=calls), strengths=strengths, faints=strengths,
        forest=strengths.max(axis=0), score=strengths.max(axis=0), sure=np.zeros(shape, dtype=bool),
    )  # fmt: skip


def lasting(minutes: int = MINUTES) -> Sustained:
    """Over the windows the error rate of all rows is far out in every minute."""
    shape = (len(DETECTION_METRICS), len(SELECTORS), minutes)
    strength, value = np.zeros(shape), np.full(shape, 0.01)
    strength[ERRORS], value[ERRORS] = 1.5, 0.3
    return Sustained(strength=strength, value=value, usual=np.full(shape, 0.01))


def told(out: Mapping[int, Sequence[int]], row: int) -> list[int]:
    """Minutes in which the row is anomalous, its windows considered."""
    score = with_sustained(judged(out), lasting()).score[row]
    return np.flatnonzero(score >= 1.0).tolist()


def test_what_no_single_minute_shows_is_told_by_the_windows() -> None:
    verdicts = with_sustained(judged({}), lasting())
    assert told({}, LOUD) == list(range(MINUTES))
    assert verdicts.sure.all()
    assert verdicts.values["error_rate"][FEW, 0] == pytest.approx(0.3)


def test_what_single_minutes_showed_ends_with_them_for_as_long_as_the_shortest_window_holds_it() -> None:
    assert told({LOUD: [0, 1, 2]}, LOUD) == [0, 1, 2, *range(3 + SHARP_MINUTES, MINUTES)]


def test_a_minute_that_is_faint_is_not_over() -> None:
    verdicts = judged({LOUD: [0, 1, 2]})
    verdicts.faints[ERRORS, LOUD, 3:6] = 0.8
    found = with_sustained(verdicts, lasting()).score[LOUD]
    assert np.flatnonzero(found >= 1.0).tolist() == [*range(6), *range(3 + SHARP_MINUTES, MINUTES)]


def test_selections_of_few_calls_end_with_the_others_but_not_while_one_goes_on() -> None:
    assert told({LOUD: [0, 1, 2]}, FEW) == [0, 1, 2, *range(3 + SHARP_MINUTES, MINUTES)]
    assert told({LOUD: [0, 1, 2], OTHER: range(6)}, FEW) == [*range(6), 11]


def test_minutes_before_the_span_are_remembered() -> None:
    before = judged({LOUD: [SHARP_MINUTES - 1]}, SHARP_MINUTES)
    found = with_sustained(judged({}), lasting(), before).score[LOUD]
    assert np.flatnonzero(found >= 1.0).tolist() == list(range(SHARP_MINUTES, MINUTES))
    assert with_sustained(judged({}), lasting(), judged({}, SHARP_MINUTES)).score[LOUD].min() >= 1.0
