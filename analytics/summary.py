"""Minutes summarised by the hour: what a baseline keeps of weeks of history, so that it can be built day by day.

Per series and hour: a robust centre, the spread of the minutes around it, how many minutes and how many calls it came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.features import Floats, Kind, Panel, kind_of, transform
from core.series import METRICS, Selector

Bools = npt.NDArray[np.bool_]

_DENSE_MINUTES = 54
"""From this many busy minutes on, the typical minute speaks for an hour of a sum; below it the mean, idle minutes included."""

_FEW_MINUTES = 10
"""An hour with fewer busy minutes than this is summarised over all of its minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSummary:
    """Hours of many series; every array has shape (n_selectors, n_hours).

    Attributes
    ----------
    start : datetime
        The first hour, aware UTC, on the full hour.
    calls : ndarray
        Calls of the hour.
    center : mapping of metric to ndarray
        On the metric's transformed scale, ratios on their own; NaN where nothing is known.
    spread : mapping of metric to ndarray
        Robust standard deviation of the minutes around the centre, transformed; NaN for ratios (their counting noise is known).
    minutes : mapping of metric to ndarray
        How many minutes the centre was made of.
    """

    selectors: tuple[Selector, ...]
    start: datetime
    calls: Floats
    center: Mapping[str, Floats]
    spread: Mapping[str, Floats]
    minutes: Mapping[str, Floats]

    def slice(self, first: int, last: int) -> "HourSummary":
        """Hours first ≤ h < last, as views."""
        return HourSummary(
            selectors=self.selectors,
            start=self.start + timedelta(hours=first),
            calls=self.calls[:, first:last],
            center={name: matrix[:, first:last] for name, matrix in self.center.items()},
            spread={name: matrix[:, first:last] for name, matrix in self.spread.items()},
            minutes={name: matrix[:, first:last] for name, matrix in self.minutes.items()},
        )


def stack_hours(parts: Sequence[HourSummary]) -> HourSummary:
    """Summaries of the same hours, one below the other."""
    if any(part.start != parts[0].start for part in parts):
        raise ValueError("summaries of the same hours are needed")

    def together(pick: str) -> dict[str, Floats]:
        return {name: np.concatenate([getattr(part, pick)[name] for part in parts]) for name in parts[0].center}

    return HourSummary(
        selectors=tuple(selector for part in parts for selector in part.selectors),
        start=parts[0].start,
        calls=np.concatenate([part.calls for part in parts]),
        center=together("center"),
        spread=together("spread"),
        minutes=together("minutes"),
    )


def summarise(panel: Panel, min_calls: float) -> HourSummary:
    """Reduce whole hours of minutes; the panel must begin on a full hour and hold whole hours.

    Percentiles and sums are taken from minutes with at least `min_calls` calls, as they are judged.
    """
    if panel.start.minute or panel.minutes % 60:
        raise ValueError(f"whole hours are needed, not {panel.minutes} minutes from {panel.start}")
    calls = _by_hour(panel.calls)
    center, spread, minutes = {}, {}, {}
    for metric, matrix in panel.values.items():
        value = _by_hour(matrix)
        match kind_of(metric):
            case Kind.COUNT:
                parts = _of_counts(metric, value)
            case Kind.RATIO:
                parts = _of_ratios(value, calls)
            case Kind.LEVEL:
                parts = _of_levels(metric, value, calls, min_calls)
                if METRICS[metric].zero_when_idle:
                    parts = _of_sums(metric, value, parts)
        center[metric], spread[metric], minutes[metric] = parts
    return HourSummary(
        selectors=panel.selectors, start=panel.start, calls=calls.sum(2), center=center, spread=spread, minutes=minutes
    )


def join(parts: Sequence[HourSummary]) -> HourSummary:
    """Summaries of consecutive spans, in order, as one; a selection that a span lacks had no call in it."""
    selectors = tuple(dict.fromkeys(selector for part in parts for selector in part.selectors))
    row = {selector: index for index, selector in enumerate(selectors)}
    hours = [part.calls.shape[1] for part in parts]
    for before, after, length in zip(parts, parts[1:], hours, strict=False):
        if before.start + timedelta(hours=length) != after.start:
            raise ValueError(f"hours must follow one another: {before.start} + {length} h is not {after.start}")

    def together(pick: str, metric: str | None, fill: float) -> Floats:
        joined = np.full((len(selectors), sum(hours)), fill)
        at = 0
        for part, length in zip(parts, hours, strict=True):
            held = getattr(part, pick)
            rows = [row[selector] for selector in part.selectors]
            joined[rows, at : at + length] = held if metric is None else held[metric]
            at += length
        return joined

    metrics = list(parts[0].center)
    absent = {metric: 0.0 if kind_of(metric) is Kind.COUNT else np.nan for metric in metrics}
    return HourSummary(
        selectors=selectors,
        start=parts[0].start,
        calls=together("calls", None, 0.0),
        center={metric: together("center", metric, absent[metric]) for metric in metrics},
        spread={metric: together("spread", metric, np.nan) for metric in metrics},
        minutes={metric: together("minutes", metric, 60.0 if absent[metric] == 0.0 else 0.0) for metric in metrics},
    )


def masked_median(values: Floats, keep: Bools | None = None) -> Floats:
    """Median along the last axis of what is not NaN (and where `keep` is true); NaN where nothing is left."""
    held = values if keep is None else np.where(keep, values, np.nan)
    ordered = np.sort(held, axis=-1)  # NaN sort to the end
    count = (~np.isnan(ordered)).sum(-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), -1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, ordered.shape[-1] - 1), -1)
    return np.where(count > 0, (low + high) / 2.0, np.nan)[..., 0]


def masked_quantile(values: Floats, level: float) -> Floats:
    """Quantile along the last axis of what is not NaN, the nearest rank from above; NaN where nothing is known."""
    ordered = np.sort(values, axis=-1)
    count = (~np.isnan(ordered)).sum(-1, keepdims=True)
    index = np.clip(np.ceil(level * count).astype(np.int64) - 1, 0, ordered.shape[-1] - 1)
    return np.where(count > 0, np.take_along_axis(ordered, index, -1), np.nan)[..., 0]


def _by_hour(matrix: Floats) -> Floats:
    return matrix.reshape(matrix.shape[0], matrix.shape[1] // 60, 60)  # also of no selection at all


def _of_counts(metric: str, value: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean count: the median of few calls a minute would be nought."""
    scaled = transform(metric, value)
    center = transform(metric, value.mean(2))
    spread = 1.4826 * masked_median(np.abs(scaled - masked_median(scaled)[..., None]))
    return center, spread, np.full(center.shape, 60.0)


def _of_ratios(value: Floats, calls: Floats) -> tuple[Floats, Floats, Floats]:
    known = np.where(np.isnan(value), 0.0, calls)
    total = known.sum(2)
    center = np.where(total > 0, (np.nan_to_num(value) * known).sum(2) / np.maximum(total, 1.0), np.nan)
    return center, np.full(center.shape, np.nan), (known > 0).sum(2).astype(float)


def _of_levels(metric: str, value: Floats, calls: Floats, min_calls: float) -> tuple[Floats, Floats, Floats]:
    known = ~np.isnan(value) & (calls > 0)
    busy = known & (calls >= min_calls)
    used = np.where((busy.sum(2) >= _FEW_MINUTES)[..., None], busy, known)
    scaled = transform(metric, value)
    center = masked_median(scaled, used)
    spread = 1.4826 * masked_median(np.abs(scaled - center[..., None]), used)
    return center, spread, used.sum(2).astype(float)


def _of_sums(metric: str, value: Floats, busy: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats, Floats]:
    """Sums over calls (tokens, cost): where many minutes are idle, a typical busy minute would claim too much."""
    center, spread, minutes = busy
    mean = transform(metric, np.nan_to_num(value).mean(2))
    return np.where(minutes >= _DENSE_MINUTES, center, mean), spread, minutes
