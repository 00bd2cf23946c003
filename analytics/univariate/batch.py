"""Whole histories of many series: the detector, point after point."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.univariate.cadence import Bools, Floats, Ints
from analytics.univariate.detector import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Verdicts of shape (n_points, n_series); see `Verdict`."""

    score: Floats
    severity: Floats
    anomalous: Bools
    expected: Floats
    lower: Floats
    upper: Floats


def detect(detector: Detector, values: Floats, seconds: Ints, progress: Callable[[int], object] | None = None) -> Judged:
    """Judge and learn a span of points; the detector is left as it is after the last one.

    The same points in one span, in several, or one by one bring the same verdicts, to the last bit.

    Parameters
    ----------
    values : ndarray of shape (n_points, n_series)
        NaN where a value is missing, or a series has no more points.
    seconds : ndarray of shape (n_points, n_series)
        Since 1970, in local time.
    progress : callable, optional
        Told how many points are done.
    """
    shape = values.shape
    judged = Judged(
        score=np.zeros(shape),
        severity=np.zeros(shape),
        anomalous=np.zeros(shape, np.bool_),
        expected=np.full(shape, np.nan),
        lower=np.full(shape, np.nan),
        upper=np.full(shape, np.nan),
    )
    for point in range(shape[0]):
        verdict = detector.update(values[point], seconds[point])
        judged.score[point], judged.severity[point] = verdict.score, verdict.severity
        judged.anomalous[point], judged.expected[point] = verdict.anomalous, verdict.expected
        judged.lower[point], judged.upper[point] = verdict.lower, verdict.upper
        if progress is not None:
            progress(point + 1)
    return judged
