"""What is expected of each series next, learned point by point: a level and a season, and the usual size of what is left.

Three predictors run side by side: the level alone, the level with a season of all days, the level with one of the day's type.
They are mixed by how well each did lately (exponentially weighted forecasters, Cesa-Bianchi and Lugosi 2006, with a power for
the exponential), so that a series without a season is not given one. Whatever deviates is learned at most as far as the usual
deviations go: an incident moves neither level nor season much (Huber's clipped updates). Shapes are (n_series, ...).
"""

from dataclasses import dataclass

import numpy as np

from analytics.univariate.cadence import Bools, Cadence, Floats, Ints

_SIGMA_OF_MEAN = 1.2533
"""Standard deviation over mean absolute deviation of a normal distribution."""
_CLIP_SIGMAS = 3.0
_MIXING_POWER = 8
_PROFILE_RATE = 0.15
"""A day's weight in a profile of many days: about the last two weeks."""
_SCALE_PRIOR = 30.0
"""Points of its own that the scale of a time of day needs to count as much as the scale of all."""
_LEAST_SHARE = 0.25
"""A scale is at least this share of the mean deviation with all outliers: a series that mostly stands still does not alarm
at each movement."""
_TRUSTED_POINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What was expected of a point; `predicted` is by predictor, the slots are where it is learned."""

    center: Floats
    sigma: Floats
    predicted: Floats
    slot: Ints
    profile: Ints
    scale_slot: Ints


@dataclass(slots=True, kw_only=True)
class Structure:
    """The state. `level` and `error` are (3 predictors, n_series); `season` and `seen` (3, n_series, slots): all days, working
    days, weekends."""

    level: Floats
    season: Floats
    seen: Floats
    error: Floats
    scale: Floats
    mean_deviation: Floats
    scale_by_slot: Floats
    seen_by_slot: Floats
    points: Floats

    @classmethod
    def unseen(cls, n_series: int, cadence: Cadence) -> "Structure":
        profiles = (3, n_series, cadence.slots)
        by_slot = (n_series, cadence.scale_slots)
        return cls(
            level=np.zeros((3, n_series)),
            season=np.zeros(profiles, np.float32),
            seen=np.zeros(profiles, np.float32),
            error=np.zeros((3, n_series)),
            scale=np.zeros(n_series),
            mean_deviation=np.zeros(n_series),
            scale_by_slot=np.zeros(by_slot, np.float32),
            seen_by_slot=np.zeros(by_slot, np.float32),
            points=np.zeros(n_series),
        )

    def start(self, level: Floats, which: Bools) -> None:
        """Begin the levels of some series."""
        self.level[:, which] = level[which]

    def expect(self, position: Floats, weekend: Ints, cadence: Cadence) -> Expectation:
        rows = np.arange(len(position))
        slot = np.minimum(position.astype(np.int64), cadence.slots - 1)
        profile = 1 + weekend
        all_days, own_days = self._seasons(rows, position, slot, profile, cadence)
        seen = self.seen[0, rows, slot] > 0
        predicted = self.level + np.array([np.zeros_like(all_days), all_days, own_days])
        best = np.maximum(self.error.min(0), 1e-12)
        weights = (best / np.maximum(self.error, 1e-12)) ** _MIXING_POWER
        weights[1:] *= seen
        center = (weights * predicted).sum(0) / weights.sum(0)
        scale_slot = (position * cadence.scale_slots / cadence.slots).astype(np.int64) % cadence.scale_slots
        sigma = self._sigma(rows, scale_slot)
        return Expectation(center=center, sigma=sigma, predicted=predicted, slot=slot, profile=profile, scale_slot=scale_slot)

    def _seasons(self, rows: Ints, position: Floats, slot: Ints, profile: Ints, cadence: Cadence) -> tuple[Floats, Floats]:
        """Seasons of all days and of the day's type, between the middles of two slots where a slot holds several points."""
        offset = position - slot - 0.5 if cadence.points_per_slot > 1 else np.zeros_like(position)
        beside = (slot + np.where(offset >= 0, 1, -1)) % cadence.slots
        share = np.abs(offset)
        all_days = (1 - share) * self.season[0, rows, slot] + share * self.season[0, rows, beside]
        own_days = (1 - share) * self.season[profile, rows, slot] + share * self.season[profile, rows, beside]
        return all_days, np.where(self.seen[profile, rows, slot] > 0, own_days, all_days)

    def _sigma(self, rows: Ints, scale_slot: Ints) -> Floats:
        """Usual absolute deviation at this time of day, as a standard deviation; 0 before anything was seen."""
        overall = np.maximum(self.scale, _LEAST_SHARE * self.mean_deviation)
        seen = self.seen_by_slot[rows, scale_slot]
        own = (seen * self.scale_by_slot[rows, scale_slot] + _SCALE_PRIOR * overall) / (seen + _SCALE_PRIOR)
        return _SIGMA_OF_MEAN * np.maximum(own, 0.3 * overall)

    def learn(self, values: Floats, known: Bools, expected: Expectation, cadence: Cadence) -> None:
        """Take over one point of each series that is known."""
        rows = np.arange(len(values))
        use = known.astype(float)
        trusted = self.points > _TRUSTED_POINTS
        limit = np.where(trusted, _CLIP_SIGMAS * np.maximum(expected.sigma, 1e-12), np.inf)
        off = values - expected.predicted
        clipped = np.minimum(np.maximum(off, -limit), limit)
        self._learn_season(rows, values, use, off, clipped, expected, cadence)
        self.level += use * np.maximum(cadence.level_rate, 1.0 / (self.points + 2)) * clipped
        self._learn_scale(rows, np.abs(values - expected.center), use, trusted, expected, cadence)
        miss = np.minimum(np.abs(off), np.where(trusted, 10.0 * self.scale, np.inf))
        memory = 1.0 / max(200.0, 1.0 / cadence.level_rate)
        self.error += use * np.maximum(1.0 / (self.points + 1), memory) * (miss - self.error)
        self.points += use

    def _learn_season(
        self, rows: Ints, values: Floats, use: Floats, off: Floats, clipped: Floats, expected: Expectation, cadence: Cadence
    ) -> None:
        for predictor, profile in ((1, np.zeros_like(expected.profile)), (2, expected.profile)):
            seen = self.seen[profile, rows, expected.slot]
            step = np.where(seen > 0, clipped[predictor], values - self.level[predictor])
            rate = np.maximum(1.0 / (seen + 1), _PROFILE_RATE / cadence.points_per_slot)
            self.season[profile, rows, expected.slot] += use * rate * step
            self.seen[profile, rows, expected.slot] += use

    def _learn_scale(
        self, rows: Ints, deviation: Floats, use: Floats, trusted: Bools, expected: Expectation, cadence: Cadence
    ) -> None:
        rate = np.maximum(1.0 / (self.points + 1), cadence.scale_rate)
        bounded = trusted & (self.scale > 0)
        self.scale += use * rate * (np.minimum(deviation, np.where(bounded, 6.0 * self.scale, np.inf)) - self.scale)
        self.mean_deviation += use * rate * (deviation - self.mean_deviation)
        limit = np.where(bounded, 6.0 * np.maximum(expected.sigma / _SIGMA_OF_MEAN, 1e-12), np.inf)
        slot = expected.scale_slot
        seen = self.seen_by_slot[rows, slot]
        per_slot = cadence.points_per_slot * cadence.slots / cadence.scale_slots
        own_rate = np.maximum(1.0 / (seen + 1), 1.0 / max(60.0, 6.0 * per_slot))
        own = self.scale_by_slot[rows, slot]
        self.scale_by_slot[rows, slot] += use * own_rate * (np.minimum(deviation, limit) - own)
        self.seen_by_slot[rows, slot] += use
