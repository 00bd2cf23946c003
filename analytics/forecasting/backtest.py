"""The whole engine asked at past moments of a series: choice, blend and quantiles of then, against what came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.forecasting.engine import forecast
from analytics.forecasting.history import prepare
from analytics.forecasting.profile import Floats
from analytics.forecasting.quality import judge
from analytics.forecasting.season import HOURLY, Season
from core.types import QUANTILE_COLUMNS

MOST_ORIGINS = 4
_LEAST_WEEKS = 2
_REFERENCE_WEEKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of forecasts of one horizon (in points) against what came, averaged over `origins`.

    Attributes
    ----------
    mase, mean4_mase : float
        Mean absolute error of the median, and of the mean of the last four weeks, relative to repeating the last week over the
        same points; NaN where that is never wrong.
    wql, wql95 : float
        Weighted quantile loss over all quantiles, and at the 95 % quantile: twice the pinball loss over the mean of what came.
    coverage90 : float
        Share of points between the 5 % and the 95 % quantile.
    """

    horizon: int
    origins: int
    mase: float
    wql: float
    wql95: float
    coverage90: float
    mean4_mase: float


def backtest(values: Floats, horizons: Sequence[int], *, season: Season = HOURLY, start: int = 0) -> list[Quality]:
    """Judge forecasts of `values` (NaN where unknown) at past origins, a week apart or more.

    Only horizons that the history has room for beside two weeks to learn from; unknown points are not judged.
    """
    history = prepare(values, season)
    longest = [horizon for horizon in horizons if len(history.values) - horizon >= _LEAST_WEEKS * season.week]
    if not longest:
        return []
    reach = max(longest)
    real = values[history.start : history.start + len(history.values)]
    scores: dict[int, list[tuple[float, ...]]] = {horizon: [] for horizon in longest}
    for origin in _origins(len(real), reach, season):
        past, truth = real[:origin], real[origin : origin + reach]
        made = forecast(past, reach, season=season, start=start + history.start).points[list(QUANTILE_COLUMNS)].to_numpy()
        naive, mean = _references(history.values[:origin], reach, season)
        for horizon in longest:
            known = np.isfinite(truth[:horizon])
            if known.any():
                part = (truth[:horizon][known], made[:horizon][known], naive[:horizon][known])
                as_mean = np.repeat(mean[:horizon][known][:, None], len(QUANTILE_COLUMNS), axis=1)
                scores[horizon].append((*judge(*part), judge(part[0], as_mean, part[2])[0]))
    return [_mean(horizon, scores[horizon]) for horizon in longest if scores[horizon]]


def _origins(count: int, reach: int, season: Season) -> list[int]:
    """The newest first; spread over the history where it is long."""
    last, first = count - reach, _LEAST_WEEKS * season.week
    weeks = (last - first) // season.week
    apart = max(weeks // MOST_ORIGINS, 1) * season.week
    return list(range(last, first - 1, -apart))[:MOST_ORIGINS]


def _references(past: Floats, reach: int, season: Season) -> tuple[Floats, Floats]:
    weeks = min(_REFERENCE_WEEKS, len(past) // season.week)
    table = past[len(past) - weeks * season.week :].reshape(weeks, season.week)
    return np.resize(table[-1], reach), np.resize(table.mean(axis=0), reach)


def _mean(horizon: int, scores: list[tuple[float, ...]]) -> Quality:
    table = np.array(scores)
    mase, wql, wql95, coverage, mean4 = (
        float(column[np.isfinite(column)].mean()) if np.isfinite(column).any() else float("nan") for column in table.T
    )
    return Quality(horizon=horizon, origins=len(scores), mase=mase, wql=wql, wql95=wql95, coverage90=coverage, mean4_mase=mean4)
