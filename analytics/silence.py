"""Silence: a selection that should have calls and has none. It leaves no row in any table, so it is looked for.

The calls expected over the silent minutes in a row are added up. Their number being zero has the probability that a negative
binomial gives (Poisson arrivals on a rate that wanders); below one in a million it is an anomaly, with score 1.0 there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.baseline import Expected
from analytics.features import Floats, counting_variance

_EDGE_DIGITS = 6.0
"""Silence with a probability of 10 to the minus this has score 1.0."""
_LEAST_RATE = 0.2
"""Minutes that expect fewer calls prove nothing: an hour of them would be needed, and no rate is known that well."""
_GONE_MINUTES = 24 * 60
"""A selection that was silent for a day is gone, not silent; it is watched again from its next call on."""
_LEAST_WANDER = 0.1


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
    # The lower of the gliding and the stepping expectation: an office that opens at eight is not silent at ten to eight.
    rate = np.nan_to_num(np.minimum(expected.calls, np.expm1(expected.flat["tps"])))
    due = np.where(rate >= _LEAST_RATE, rate, 0.0)
    scores = np.zeros(calls.shape)
    missed, minutes = before.missed.copy(), before.minutes.copy()
    for minute in range(calls.shape[1]):
        silent = calls[:, minute] <= 0
        minutes = np.where(silent, np.minimum(minutes + 1, _GONE_MINUTES), 0)
        watched = silent & (minutes < _GONE_MINUTES)
        missed = np.where(watched, missed + due[:, minute], 0.0)
        digits = np.log10(1.0 + wander[:, minute] * missed) / wander[:, minute]
        scores[:, minute] = np.where(silent & ~watched, np.nan, digits / _EDGE_DIGITS)
    return scores, Silence(missed=missed, minutes=minutes)
