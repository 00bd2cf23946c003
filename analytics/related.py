"""Series that moved along with an anomaly's leading one, by correlation at the lag that suits them best.

Over the last hour, on what each series deviates from its baseline, so that the hour of the day relates nothing. A lag says
which moved first: what rises minutes before the leading series is a leading indicator of it.
"""

from collections.abc import Mapping

import numpy as np

from analytics.baseline import Baselines
from analytics.features import Floats, Panel, transform
from core.series import ALL_CALLS, Selector
from core.types import Related

_MOST_LAG = 10
_LEAST_CORRELATION = 0.7
"""Of ten thousand series at 21 lags the luckiest reaches about 0.6 over an hour of noise."""
_LEAST_KNOWN = 0.5
_MOST_RELATED = 5


def residuals(baselines: Baselines, panel: Panel) -> dict[str, Floats]:
    """Deviations in scales of the baseline by metric, (n_selectors, n_minutes), NaN where unknown; rows as in the baselines."""
    expected = baselines.at(panel.times())
    return {
        metric: (transform(metric, panel.values[metric]) - center) / np.maximum(expected.scale[metric], 1e-9)
        for metric, center in expected.center.items()
        if metric in panel.values
    }


def related_series(
    moved: Mapping[str, Floats],
    selectors: tuple[Selector, ...],
    metric: str,
    lead: Selector,
    samples: Mapping[str, Floats] | None = None,
) -> tuple[Related, ...]:
    """The series that correlate most with `metric` of `lead`, other metrics or other dimensions than its own, and `samples`.

    None where the leading series is not among the selectors, or is not known for most of the time. Samples are rows of
    (n_minutes,) by name; they are nobody's own, and said to be of all calls.
    """
    if lead not in selectors or metric not in moved:
        return ()
    ours = moved[metric][selectors.index(lead)]
    if np.isfinite(ours).mean() < _LEAST_KNOWN:
        return ()
    found = list[Related]()
    for name, matrix in moved.items():
        known = np.isfinite(matrix).mean(axis=1) >= _LEAST_KNOWN
        correlation, lag = _best_lag(np.nan_to_num(matrix), np.nan_to_num(ours))
        strong = known & (np.abs(correlation) >= _LEAST_CORRELATION)
        for row in np.flatnonzero(strong):
            if name == metric and selectors[row].dimensions in ((), lead.dimensions):
                continue  # the same thing seen wider, or its neighbours: the causes tell these apart
            found.append(
                Related(selector=selectors[row], metric=name, lag_minutes=int(lag[row]), correlation=float(correlation[row]))
            )
    for name, sample in (samples or {}).items():
        correlation, lag = _best_lag(np.nan_to_num(sample)[None, :], np.nan_to_num(ours))
        alike, minutes = float(correlation[0]), int(lag[0])
        if np.isfinite(sample).mean() >= _LEAST_KNOWN and abs(alike) >= _LEAST_CORRELATION:
            found.append(Related(selector=ALL_CALLS, metric=name, lag_minutes=minutes, correlation=alike))
    found.sort(key=lambda one: (-abs(one.correlation), one.metric, str(one.selector)))
    return tuple(found[:_MOST_RELATED])


def _best_lag(others: Floats, ours: Floats) -> tuple[Floats, np.typing.NDArray[np.int64]]:
    """Largest correlation of each row with `ours`, and how many minutes earlier the row is then.

    Sums of rows up to any minute are made once: each lag then costs one product of the matrix with a vector.
    """
    size = len(ours)
    sums, squares = (np.cumsum(np.pad(part, ((0, 0), (1, 0))), axis=1) for part in (others, others**2))
    best, lag_of = np.zeros(len(others)), np.zeros(len(others), dtype=np.int64)
    most = min(_MOST_LAG, size // 3)
    for lag in range(-most, most + 1):
        first, last = max(-lag, 0), size - max(lag, 0)
        late = ours[max(lag, 0) : size - max(-lag, 0)]
        late = late - late.mean()
        total = sums[:, last] - sums[:, first]
        spread = squares[:, last] - squares[:, first] - total**2 / len(late)
        norm = np.sqrt(np.maximum(spread, 0.0) * (late**2).sum())
        correlation = np.where(norm > 1e-9, others[:, first:last] @ late / np.maximum(norm, 1e-9), 0.0)
        better = np.abs(correlation) > np.abs(best) + 1e-3
        best, lag_of = np.where(better, correlation, best), np.where(better, lag, lag_of)
    return best, lag_of
