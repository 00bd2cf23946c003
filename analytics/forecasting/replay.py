"""Back-test with a rolling origin: the candidates asked at past moments, against what then came.

Long histories are replayed from the ends of past weeks; short ones from the ends of past days, which say less apiece.
"""

from dataclasses import dataclass

from analytics.forecasting.candidates import paths
from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

MOST_REPLAYS = 12
_WEEKS_ENOUGH = 5
"""From so many weeks on replays are a week apart and each had two weeks to learn from."""
_FEW_DAYS = 4.0
"""A single day's replay counts as 0.2 of one a week apart, six as 0.6; chosen by the coverage from one day to four weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One past origin, `origin` points into the history: what came, (n,), and each candidate's path, (n_candidates, n)."""

    origin: int
    truth: Floats
    paths: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """The newest first. `independent` is how many of them tell something of their own."""

    replays: tuple[Replay, ...]
    independent: float


def replay(values: Floats, horizon: int, season: Season) -> Replays:
    """Replay the candidates over a history without gaps; none are had from less than two days."""
    apart, least = _plan(len(values), season)
    origins = range(len(values) - apart, least - 1, -apart)
    made = []
    for origin in list(origins)[:MOST_REPLAYS]:
        truth = values[origin : origin + min(horizon, len(values) - origin)]
        made.append(Replay(origin=origin, truth=truth, paths=paths(values[:origin], len(truth), season)))
    return Replays(replays=tuple(made), independent=_independent(len(made), apart, season))


def _independent(count: int, apart: int, season: Season) -> float:
    """A week apart each counts; days of one or two weeks share their level, and the fewer they are the less they tell.

    Above nought even without any: what is said then rests on how the values lie around their middle.
    """
    if count and apart == season.week:
        return float(count)
    return 1.0 / (1.0 / max(count * apart / season.week, 1.0) + _FEW_DAYS / max(count, 1))


def _plan(count: int, season: Season) -> tuple[int, int]:
    """Distance of origins, and the least history that one needs."""
    if count >= _WEEKS_ENOUGH * season.week:
        return season.week, 2 * season.week
    return season.day, season.week if count >= season.week + 2 * season.day else season.day
