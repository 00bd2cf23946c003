"""Forecasts of any regular series: candidates judged on the series' own past, blended, with calibrated quantiles.

Two steps. `choose` replays the candidates at past origins and keeps what came of it: the shares of the blend, the spread of its
errors, and how it did against repeating the last week; dear, and worth doing once a week. `forecast` asks the candidates once
and uses a choice; cheap. Both are pure, and the same whether a job or the command line asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.forecasting import growth
from analytics.forecasting.candidates import NAMES, paths
from analytics.forecasting.choice import blend, weights, words
from analytics.forecasting.history import History, prepare
from analytics.forecasting.occasions import Occasion
from analytics.forecasting.profile import Floats
from analytics.forecasting.quality import relative_error
from analytics.forecasting.replay import Replays, replay
from analytics.forecasting.season import HOURLY, Season
from analytics.forecasting.shifts import level_shift
from analytics.forecasting.spread import Errors, Spread, calibrate, doubted, widths
from analytics.forecasting.unlike import effects, to_learn_from
from core.errors import TpscopeError
from core.types import QUANTILE_COLUMNS

_CALIBRATED_WEEKS = 4
"""Replays reach so far ahead; what lies beyond goes on widening as the first weeks did."""
_DOUBT = 0.5
"""Share of the level that it is taken to be off by where nothing could be replayed, as two more errors."""
_USED_WEEKS = 80
"""A year, what is needed to compare with it, and replays of that; older history says nothing more."""
_NOUGHT = 1e-12
"""Closer to zero than this is arithmetic."""


class NothingKnown(TpscopeError, ValueError):
    """No value of the series is known, so nothing can be said of its future."""

    def __init__(self) -> None:
        super().__init__("no value is known; nothing can be forecast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the back-test of a series decided.

    Attributes
    ----------
    shares : ndarray of shape (3, n_candidates)
        Of the candidates in the first day, the week, and beyond; columns as `NAMES`.
    spread : Spread
        Its slot 0 is the first point of a week that is counted from point 0 of `start`.
    error_mase : float
        Mean absolute error over replayed weeks relative to repeating the week before; NaN where none could be replayed.
    """

    shares: Floats
    spread: Spread
    error_mase: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A forecast of consecutive points.

    Attributes
    ----------
    points : DataFrame
        `mean` and the columns of `QUANTILE_COLUMNS`, a row a point, in the unit of the history; quantiles never cross, and
        `q50` is the path that the back-test judged.
    model : str
        The leading candidates, for people.
    note : str
        What cannot be known from so little history; empty where nothing is missing.
    """

    points: pd.DataFrame
    model: str
    error_mase: float
    note: str = ""


def choose(
    values: Floats,
    *,
    season: Season = HOURLY,
    start: int = 0,
    masked: npt.NDArray[np.bool_] | None = None,
    occasions: Sequence[Occasion] = (),
) -> Choice:
    """Judge the candidates on the past of `values` (shape (n_points,), NaN where unknown).

    `start` is the number of points since some fixed moment, the same in every call about a series. Raises NothingKnown.
    """
    history = _history(values, season, masked, occasions)
    return _choose(history, paths(history.values, season.week, season), season, start)


def forecast(
    values: Floats,
    horizon: int,
    *,
    season: Season = HOURLY,
    start: int = 0,
    choice: Choice | None = None,
    masked: npt.NDArray[np.bool_] | None = None,
    occasions: Sequence[Occasion] = (),
    non_negative: bool | None = None,
) -> Forecast:
    """Forecast the `horizon` points that follow `values`.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Consecutive points, oldest first; NaN where unknown.
    start : int
        As in `choose`, whose `choice` may be given; without one it is made.
    masked : ndarray of bool, optional
        Points that must not be learned from: incidents, maintenance.
    occasions : sequence of Occasion
        Holidays and events, in points from the first value.
    non_negative : bool, optional
        Whether nothing below zero can happen; by default where nothing below zero ever did.

    Raises
    ------
    NothingKnown
        Where no value is known.
    """
    history = _history(values, season, masked, occasions)
    reach = history.ends + horizon  # the path begins where knowledge ends
    each = paths(history.values, max(reach, season.week), season)
    chosen = choice or _choose(history, each, season, start)
    shares = _usable(chosen.shares, each)
    path = blend(each[:, :reach], shares, season)
    width = widths(chosen.spread, path, start + history.start + len(history.values), season)
    special = effects(np.asarray(values, dtype=np.float64), horizon, occasions, season)
    # What an occasion is like is known less well than a usual day: it makes intervals wider, never narrower.
    path, width = path[history.ends :] * special.factor, width[history.ends :] * np.maximum(special.factor, 1.0)
    grown = growth.doubt(history.values, reach, season)[history.ends :]
    away = doubted(
        width[:, None] * chosen.spread.quantiles, path, np.hypot(special.below, grown), np.hypot(special.above, grown)
    )
    points = np.column_stack([path + width * chosen.spread.mean, path[:, None] + away])
    if non_negative or (non_negative is None and history.values.min() >= 0):
        points = np.maximum(points, 0.0)
    points[np.abs(points) < _NOUGHT] = 0.0
    points[:, 1:] = np.maximum.accumulate(points[:, 1:], axis=1)
    if _counts(values):
        points[:, 1:] = np.round(points[:, 1:])
    frame = pd.DataFrame(points, columns=["mean", *QUANTILE_COLUMNS])
    return Forecast(points=frame, model=words(shares), error_mase=chosen.error_mase, note=_note(history, horizon, season))


def _history(values: Floats, season: Season, masked: npt.NDArray[np.bool_] | None, occasions: Sequence[Occasion]) -> History:
    values, mask = to_learn_from(np.asarray(values, dtype=np.float64), occasions, season)
    given = values[-_USED_WEEKS * season.week if season.week > 1 else 0 :]
    before = len(values) - len(given)
    if masked is not None:
        mask |= masked
    history = prepare(given, season, mask[before:])
    if not len(history.values):
        raise NothingKnown
    since, factor = level_shift(history.values, season)
    level = np.where(np.arange(len(history.values)) < len(history.values) - since, factor, 1.0)
    return replace(history, values=history.values * level, start=history.start + before)


def _choose(history: History, each: Floats, season: Season, start: int) -> Choice:
    """`each` holds the candidates' paths for a week or more from the history's end."""
    values = history.values
    replays = replay(values, _CALIBRATED_WEEKS * season.week, season)
    shares = weights(replays, each, len(values), season)
    errors = _errors(values, replays, shares, start + history.start, season)
    level = float(np.abs(blend(each[:, : min(season.week, len(values))], shares, season)).mean())
    judged = [(one.origin, part.errors) for one, part in zip(replays.replays, errors, strict=False)]
    return Choice(
        shares=shares,
        spread=calibrate(errors, level, replays.independent, season),
        error_mase=relative_error(judged, values, season),
    )


def _errors(values: Floats, replays: Replays, shares: Floats, start: int, season: Season) -> list[Errors]:
    """Errors of the blend in each replay; without any, how the values lie around their middle."""
    if not replays.replays:
        middle = float(np.median(values))
        unknown = _DOUBT * abs(middle) * np.array([-1.0, 1.0])  # constant so far is not constant for ever
        errors = np.concatenate([values - middle, unknown])
        return [Errors(origin=start, errors=errors, path=np.full(len(errors), middle))]
    found = []
    for one in replays.replays:
        path = blend(one.paths, _usable(shares, one.paths), season)
        found.append(Errors(origin=start + one.origin, errors=one.truth - path, path=path))
    return found


def _usable(shares: Floats, each: Floats) -> Floats:
    """The shares of those candidates that can say something, summing to one again."""
    known = np.where(np.isfinite(each[:, 0]), shares, 0.0)
    total = known.sum(axis=1, keepdims=True)
    fallback = np.zeros(len(NAMES))
    fallback[NAMES.index("level")] = 1.0
    return np.where(total > 1e-9, known / np.maximum(total, 1e-9), fallback)


def _counts(values: Floats) -> bool:
    """Whether these are counts: then their quantiles are whole numbers as well."""
    known = values[np.isfinite(values)]
    return bool(known.min() >= 0 and (known == np.round(known)).all())


def _note(history: History, horizon: int, season: Season) -> str:
    """What so much history cannot tell."""
    count = len(history.values)
    days, ahead = count / season.day, horizon / season.day
    if season.week > 1 and count < season.day:
        return "less than a day of history: only a level is known, neither the times of the day nor the days of the week"
    if season.week > 1 and count < 2 * season.week:
        return f"{days:.1f} days of history: how the days of the week differ cannot be known yet"
    if horizon > count:
        return f"{days:.1f} days of history for {ahead:.1f} days ahead: growth and seasons beyond that are not known"
    return ""
