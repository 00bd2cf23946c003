"""What follows from a series' step alone: its season's slots, how long is remembered, which question is asked of a point.

Three questions fit three kinds of step. A minute is a noisy count or percentile: do several minutes together deviate beyond
the noise of their time of day (`noise`)? Five minutes of a machine's metric jump about: was such a value ever there
(`novelty`)? Of hours there are few, and each is an aggregate: how many spreads is it away (`spread`)? Between those steps the
answers are mixed by the logarithm of the step.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
LEARNED_POINTS = 20
"""Points that are only looked at: they give the step and the scale of the series."""
_MAX_SLOTS = 288
"""Five minutes: shorter habits are noise."""
_SCALE_SLOTS = 24
_MINUTE_S, _FIVE_MINUTES_S, _QUARTER_S, _HOUR_S = 90.0, 300.0, 900.0, 3_600.0
_THURSDAY = 3
"""1970-01-01, counted from Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How series of one step are treated.

    Attributes
    ----------
    step_s : float
        Usual distance of two points, seconds.
    period_s, slots : float, int
        The season and how many parts it is learned in: a day of up to 288, for steps of more than six hours a week.
    by_day_type : bool
        Whether working days and weekends have profiles of their own as well.
    points_per_slot : float
        Points that fall into a slot each period.
    level_rate, scale_rate : float
        Share of a new deviation that the level (a day of minutes, else a quarter of one, at least 36 points) and the scale
        take over.
    noise, novelty, spread : float
        Weights of the three questions; they add up to 1.
    warm_up : int
        Points before deviations are compared with earlier ones: one and a half days (12 points at least), so that the season
        was seen once.
    cooldown : int
        Points for which a score must exceed all scores before it to count again.
    fading : float
        What is left of a severity one point later.
    """

    step_s: float
    period_s: float
    slots: int
    by_day_type: bool
    points_per_slot: float
    scale_slots: int
    level_rate: float
    scale_rate: float
    noise: float
    novelty: float
    spread: float
    warm_up: int
    cooldown: int
    fading: float

    @classmethod
    def of(cls, step_s: float) -> "Cadence":
        """For a step in seconds, above 0."""
        per_day = DAY_S / step_s
        daily = per_day >= 4
        period_s = DAY_S if daily else WEEK_S
        points = max(period_s / step_s, 1.0)
        slots = int(min(round(points), _MAX_SLOTS))
        noise = 1.0 - _between(step_s, _MINUTE_S, _FIVE_MINUTES_S)
        spread = _between(step_s, _QUARTER_S, _HOUR_S)
        coarse = _between(step_s, _FIVE_MINUTES_S, _HOUR_S)
        return cls(
            step_s=step_s,
            period_s=period_s,
            slots=slots,
            by_day_type=daily,
            points_per_slot=points / slots,
            scale_slots=min(slots, _SCALE_SLOTS),
            level_rate=1.0 / max(36.0, per_day * (0.25 + 0.75 * noise)),
            scale_rate=1.0 / max(1_000.0, 3.0 * per_day),
            noise=noise,
            novelty=1.0 - noise - spread,
            spread=spread,
            warm_up=int(np.clip(1.5 * per_day, 12.0, 2_160.0)),
            cooldown=round(60 - 36 * coarse),
            fading=0.995 - 0.045 * coarse,
        )

    @property
    def logarithmic(self) -> bool:
        """Whether the series is read on a logarithmic scale: counts and latencies by the minute deviate by factors."""
        return self.noise >= 0.5

    def place(self, seconds: Ints) -> tuple[Floats, Ints]:
        """Position in the season, in slots, and 1 at weekends, both of the shape of `seconds` (since 1970, local time)."""
        position = np.asarray((seconds % self.period_s) / self.period_s * self.slots, np.float64)
        weekend = ((seconds // int(DAY_S)) + _THURSDAY) % 7 >= 5
        return position, (weekend & self.by_day_type).astype(np.int64)


def step_of(seconds: Ints) -> float:
    """The step of a series by its first points alone, so that it never changes later; a minute where they tell none."""
    distances = np.diff(seconds[: LEARNED_POINTS + 1])
    forward = distances[distances > 0]
    return float(np.median(forward)) if len(forward) else 60.0


def _between(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, by the logarithm between them."""
    return float(np.clip(np.log(value / low) / np.log(high / low), 0.0, 1.0))
