"""Silence: a selection that should have calls and has none. It leaves no row in any table, so it is looked for.

The calls expected over the silent minutes in a row are added up. Their number being zero has the probability that a negative
binomial gives (Poisson arrivals on a rate that wanders); below one in a million it is an anomaly, with score 1.0 there. On a
day of a kind that history has not held (a first Saturday) an office may be shut: only what was heard on that day is missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analytics.baseline import Baselines, Expected
from analytics.features import Floats, counting_variance

_EDGE_DIGITS = 6.0
"""Silence with a probability of 10 to the minus this has score 1.0."""
_LEAST_RATE = 0.2
"""Minutes that expect fewer calls prove nothing: an hour of them would be needed, and no rate is known that well."""
_GONE_MINUTES = 24 * 60
"""A selection that was silent for a day is gone, not silent; it is watched again from its next call on."""
_LEAST_WANDER = 0.1
_NEW_WANDER = 0.7
"""On a day of a kind that was never seen; an hour of 30 expected calls a minute is needed there."""
_MOST_WANDER = 3.0
_FORGET = 0.9
_USUAL_SHARE = 0.6
"""The longest gap of an ordinary day has at most this score."""
_DAY_MINUTES = 24 * 60
_BISECTIONS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is carried from minute to minute, by row of the baselines: expected calls and minutes since the last call."""

    missed: Floats
    minutes: npt.NDArray[np.int64]

    @classmethod
    def unseen(cls, rows: int) -> "Silence":
        """Nothing is known to be alive yet: each selection is watched from its first call on."""
        return cls(missed=np.zeros(rows), minutes=np.full(rows, _GONE_MINUTES))

    @classmethod
    def from_json(cls, state: Mapping[str, list[float]], names: list[str]) -> "Silence":
        """From `to_json`; a selection that it does not name is alive, one that is new in the baselines as well."""
        held = [state.get(name, [0.0, 0]) for name in names]
        return cls(
            missed=np.array([part[0] for part in held]), minutes=np.array([int(part[1]) for part in held], dtype=np.int64)
        )

    def to_json(self, names: list[str]) -> dict[str, list[float]]:
        """Selections without a call in the last minute, with what they missed."""
        silent = np.flatnonzero(self.minutes > 0)
        return {names[row]: [float(self.missed[row]), int(self.minutes[row])] for row in silent}


def score_silence(calls: Floats, expected: Expected, before: Silence) -> tuple[Floats, Silence]:
    """Scores of consecutive minutes and what to carry on; NaN where a selection is gone and misses nothing.

    Parameters
    ----------
    calls : ndarray of shape (n_selectors, n_minutes)
    before : Silence
        As it was before the first of them.
    """
    counting = counting_variance("tps", expected.calls)
    wander = np.maximum(np.nan_to_num(expected.scale["tps"] ** 2 - counting), _LEAST_WANDER**2)
    new_for = np.full(calls.shape, -1.0) if expected.new_for is None else expected.new_for
    wander = np.where(new_for >= 0.0, np.maximum(wander, _NEW_WANDER**2), wander)
    due = _due(expected)
    scores = np.zeros(calls.shape)
    missed, minutes = before.missed.copy(), before.minutes.copy()
    for minute in range(calls.shape[1]):
        silent = calls[:, minute] <= 0
        minutes = np.where(silent, np.minimum(minutes + 1, _GONE_MINUTES), 0)
        watched = silent & (minutes < _GONE_MINUTES) & ((new_for[:, minute] < 0.0) | (minutes <= new_for[:, minute]))
        missed = np.where(watched, _missed(missed, due[:, minute]), 0.0)
        digits = _digits(missed, wander[:, minute])
        scores[:, minute] = np.where(silent & ~watched, np.nan, digits / _EDGE_DIGITS)
    return scores, Silence(missed=missed, minutes=minutes)


def usual_gaps(calls: Floats, expected: Expected) -> Floats:
    """Calls that each selection usually misses in its longest gap of a day, shape (n_selectors,).

    The median over the days of `calls` (n_selectors, n_minutes; NaN: not to be counted): one incident does not make a habit.
    """
    due, missed = _due(expected), np.zeros(len(calls))
    longest = np.zeros((len(calls), max(-(-calls.shape[1] // _DAY_MINUTES), 1)))
    for minute in range(calls.shape[1]):
        missed = np.where(calls[:, minute] == 0.0, _missed(missed, due[:, minute]), 0.0)
        day = minute // _DAY_MINUTES
        longest[:, day] = np.maximum(longest[:, day], missed)
    return np.asarray(np.median(longest, axis=1))


def widen_by_gaps(baselines: Baselines, gaps: Floats) -> Baselines:
    """Let the rate of selections that come in bursts wander so much that their usual gaps are no silence."""
    low, high = np.zeros(len(gaps)), np.full(len(gaps), _MOST_WANDER**2)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        loud = _digits(gaps, middle) > _USUAL_SHARE * _EDGE_DIGITS
        low, high = np.where(loud, middle, low), np.where(loud, high, middle)
    scale = baselines.scale["tps"]
    counting = counting_variance("tps", np.maximum(np.expm1(baselines.center["tps"]), 0.0))
    needed = np.where(_digits(gaps, np.full(len(gaps), _LEAST_WANDER**2)) > _USUAL_SHARE * _EDGE_DIGITS, high, 0.0)
    wider = np.sqrt(counting + np.maximum(scale**2 - counting, needed[:, None]))
    return replace(baselines, scale={**baselines.scale, "tps": np.where(needed[:, None] > 0.0, wider, scale)})


def _due(expected: Expected) -> Floats:
    """Calls that each minute should bring: the lower of the gliding and the stepping expectation, nought where it is very low.

    An office that opens at eight is not silent at ten to eight.
    """
    rate = np.nan_to_num(np.minimum(expected.calls, np.expm1(expected.flat["tps"])))
    return np.where(rate >= _LEAST_RATE, rate, 0.0)


def _missed(before: Floats, due: Floats) -> Floats:
    """Calls missed so far: where none are due any more (the office closed), what was missed is slowly forgotten."""
    return np.where(due > 0.0, before + due, before * _FORGET)


def _digits(missed: Floats, wander: Floats) -> Floats:
    """Minus the logarithm of the chance that none of `missed` expected calls came: a negative binomial's P(0)."""
    spread = np.maximum(wander, 1e-6)
    return np.asarray(np.log10(1.0 + spread * missed) / spread)
