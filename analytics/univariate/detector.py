"""The univariate detector: many series of one step, judged point by point, each from its own past alone.

A point is judged before it is learned. Its score mixes up to three answers (see `cadence`), each 1.0 at its edge. All constants
are the same for every series; how they were chosen stands in docs/benchmarks.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from analytics.univariate.answer import Answer
from analytics.univariate.arrays import Array, axes_of, flatten, pick, placed, restore
from analytics.univariate.cadence import LEARNED_POINTS, Bools, Cadence, Floats, Ints
from analytics.univariate.noise import Noise
from analytics.univariate.novelty import Novelty
from analytics.univariate.spread import Spread
from analytics.univariate.structure import Expectation, Structure

_HALF_SEVERITY = 8.0
"""Squared sum of log(1 + standard deviations) of value and deviation at which the severity is 0.5: 3.1 of each."""
_TINIEST, _HUGEST = 1e-290, 1e290
"""Sizes of values that a unit is made of, so that it neither vanishes nor overflows."""
_FARTHEST = 1e9
"""In units of the series' first values; beyond it numbers would overflow, and are alarms anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one point of each series; all of shape (n_series,).

    `score` is 0 during a cooldown, and for a value that is missing; 1.0 is the edge of the expected range. `expected`, `lower`
    and `upper` are NaN while the first points are only looked at. The bounds are what the value alone must leave: several small
    deviations together can score as well.
    """

    score: Floats
    severity: Floats
    anomalous: Bools
    expected: Floats
    lower: Floats
    upper: Floats


@dataclass(slots=True, kw_only=True)
class _State:
    first_values: Floats
    seen: Ints
    unit: Floats
    structure: Structure
    spread: Spread
    noise: Noise | None
    novelty: Novelty | None
    scores: Floats
    faded: Floats


class Detector:
    """Carries `n_series` series of one step from point to point."""

    def __init__(self, n_series: int, cadence: Cadence) -> None:
        self.cadence = cadence
        self.n_series = n_series
        self._state = _State(
            first_values=np.full((LEARNED_POINTS, n_series), np.nan),
            seen=np.zeros(n_series, np.int64),
            unit=np.ones(n_series),
            structure=Structure.unseen(n_series, cadence),
            spread=Spread.unseen((2, n_series)),
            noise=Noise.unseen(n_series) if cadence.noise > 0 else None,
            novelty=Novelty.unseen(n_series, cadence) if cadence.novelty > 0 else None,
            scores=np.zeros((cadence.cooldown, n_series)),
            faded=np.zeros(n_series),
        )

    def update(self, values: Floats, seconds: Ints) -> Verdict:
        """Judge and learn the next point of each series.

        Parameters
        ----------
        values : ndarray of shape (n_series,)
            NaN and infinities are missing values: they are not judged, and nothing is learned from them.
        seconds : ndarray of shape (n_series,)
            Since 1970, in the series' local time; only the time of day and the weekday matter.
        """
        state, cadence = self._state, self.cadence
        known = np.isfinite(values)
        scaled = self._scaled(np.where(known, values, 0.0))
        started = state.seen >= LEARNED_POINTS
        judged = known & started
        expected = state.structure.expect(*cadence.place(seconds), cadence)
        answer = self._answer(scaled, judged, expected)
        pair = np.array([scaled, scaled - expected.center])
        known_past = state.structure.points / (state.structure.points + cadence.warm_up)
        excess = known_past * np.log1p(state.spread.distance(pair)).sum(0) ** 2
        state.spread.learn(pair, np.array([judged, judged]))
        state.structure.learn(scaled, judged, expected, cadence)
        state.faded = np.maximum(np.where(judged, excess, 0.0), cadence.fading * state.faded)
        if not started.all():
            self._look_at_first(values, known & ~started)
        score = self._cooled_down(np.where(judged & answer.ready, answer.score, 0.0))
        center, least, most = (
            expected.center,
            np.minimum(answer.lower, expected.center),
            np.maximum(answer.upper, expected.center),
        )
        middle, lower, upper = np.where(started, self._unscaled(np.array([center, least, most])), np.nan)
        return Verdict(
            score=score,
            severity=state.faded / (state.faded + _HALF_SEVERITY),
            anomalous=score >= 1.0,
            expected=middle,
            lower=lower,
            upper=upper,
        )

    def arrays(self) -> dict[str, Array]:
        """The state, to be kept; no pickles."""
        return flatten(self._state)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], cadence: Cadence) -> "Detector":
        """A detector that goes on where the one of `arrays` stopped."""
        detector = cls(len(arrays["seen"]), cadence)
        restore(detector._state, arrays)
        return detector

    def of(self, columns: Ints) -> "Detector":
        """A detector of some of the series, that knows what this one knows of them."""
        return Detector.from_arrays(pick(self.arrays(), _axes(self.cadence), columns), self.cadence)

    def put(self, columns: Ints, part: "Detector") -> None:
        """Take over what a detector of these series has learned since `of`."""
        restore(self._state, placed(self.arrays(), part.arrays(), _axes(self.cadence), columns))

    def with_more(self, n_series: int) -> "Detector":
        """A detector of these series and, after them, new ones."""
        whole = Detector(self.n_series + n_series, self.cadence)
        whole.put(np.arange(self.n_series), self)
        return whole

    def _answer(self, scaled: Floats, judged: Bools, expected: Expectation) -> Answer:
        """The answers mixed by the cadence's weights; spreads stand in for what is not ready."""
        state, cadence = self._state, self.cadence
        spread = state.spread.answer(np.array([scaled, scaled]))
        total = [cadence.spread * part[0] for part in (spread.score, spread.lower, spread.upper)]
        answers = []
        if state.noise is not None:
            learned = state.structure.points >= cadence.warm_up
            answers.append((cadence.noise, state.noise.take(scaled, judged, learned, expected)))
        if state.novelty is not None:
            answers.append((cadence.novelty, state.novelty.take(scaled, judged, expected)))
        for weight, answer in answers:
            for index, name in enumerate(("score", "lower", "upper")):
                total[index] += weight * np.where(answer.ready, getattr(answer, name), getattr(spread, name)[0])
        return Answer(score=total[0], lower=total[1], upper=total[2], ready=spread.ready[0])

    def _cooled_down(self, score: Floats) -> Floats:
        """A score counts only if it exceeds all scores of the last points."""
        state = self._state
        counting = np.where(score > state.scores.max(0), score, 0.0)
        state.scores = np.concatenate([state.scores[1:], score[None]])
        return counting

    def _look_at_first(self, values: Floats, looking: Bools) -> None:
        """Collect first values; with the last of them the unit and the level are set."""
        state = self._state
        which = np.flatnonzero(looking)
        state.first_values[state.seen[which], which] = values[which]
        state.seen += np.isfinite(values) & (state.seen < LEARNED_POINTS)
        for one in which[state.seen[which] == LEARNED_POINTS]:
            first = state.first_values[:, one]
            moving = np.abs(first[first != 0.0])
            state.unit[one] = 0.5 * np.median(np.clip(moving, _TINIEST, _HUGEST)) if len(moving) else 1.0
        complete = looking & (state.seen == LEARNED_POINTS)
        if complete.any():
            level = np.median(self._scaled(np.nan_to_num(state.first_values)), axis=0)
            state.structure.start(level, complete)

    def _scaled(self, values: Floats) -> Floats:
        with np.errstate(over="ignore"):
            bounded = np.minimum(np.maximum(values / self._state.unit, -_FARTHEST), _FARTHEST)
        return np.arcsinh(bounded) if self.cadence.logarithmic else bounded

    def _unscaled(self, scaled: Floats) -> Floats:
        bounded = np.sinh(np.minimum(np.maximum(scaled, -50.0), 50.0)) if self.cadence.logarithmic else scaled
        with np.errstate(over="ignore"):
            return bounded * self._state.unit


@cache
def _axes(cadence: Cadence) -> Mapping[str, tuple[int, int]]:
    return axes_of(Detector(1, cadence).arrays(), Detector(2, cadence).arrays())
