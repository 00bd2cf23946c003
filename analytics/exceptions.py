"""Hours that are no example of normal traffic, left out of training: what people masked, and incidents that did not come again.

An anomaly that comes again at the same time of other days is a habit that a baseline must learn, and one that does not end is a
new level: neither is left out, else the same would be told for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.features import Floats
from analytics.recurring import came_before
from analytics.summary import HourSummary
from core.masks import Mask, holds
from core.series import Selector
from core.types import Anomaly

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_LONGEST = timedelta(hours=6)
"""A longer anomaly is taken for a change and learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exempt:
    """A span of some selections.

    Attributes
    ----------
    around : Selector or None
        Selections inside of it are meant, and those that hold all of its calls; None: those of `selectors` and no other.
    metrics : frozenset of str
        Empty: all of them.
    """

    start: datetime
    end: datetime
    around: Selector | None = None
    selectors: tuple[Selector, ...] = ()
    metrics: frozenset[str] = frozenset()

    def rows(self, place: Mapping[Selector, int]) -> list[int]:
        """The rows that are meant, of those that `place` numbers."""
        meant = self.around
        if meant is None:
            return [place[one] for one in self.selectors if one in place]
        return [row for one, row in place.items() if holds(one, meant) or holds(meant, one)]


def exceptions_of_masks(masks: Iterable[Mask]) -> list[Exempt]:
    """Every mask is an exception, whatever its kind."""
    return [Exempt(start=mask.start, end=mask.until, around=mask.selector) for mask in masks]


def exceptions_of_anomalies(anomalies: Sequence[Anomaly]) -> list[Exempt]:
    """Anomalies that ended soon and that no other day had at the same time, each for the series that strayed in it."""
    return [
        Exempt(
            start=one.started_at,
            end=one.last_at + _MINUTE,
            selectors=tuple(dict.fromkeys((one.selector, *(part.selector for part in one.contributions)))),
            metrics=frozenset({one.metric, *(part.metric for part in one.contributions)}),
        )
        for one in anomalies
        if one.ended_at is not None and one.last_at - one.started_at < _LONGEST and not _again(one, anomalies)
    ]


def leave_out(summary: HourSummary, exceptions: Iterable[Exempt]) -> HourSummary:
    """The summary with unknown values in the hours that an exception touches; calls stay as they are."""
    hours = summary.calls.shape[1]
    place = {selector: row for row, selector in enumerate(summary.selectors)}
    hit: dict[str, npt.NDArray[np.bool_]] = {}
    for one in exceptions:
        first = max((one.start - summary.start) // _HOUR, 0)
        last = min(-((summary.start - one.end) // _HOUR), hours)
        rows = one.rows(place) if last > first else []
        for metric in (one.metrics & summary.center.keys()) or (() if one.metrics else summary.center):
            if rows:
                hit.setdefault(metric, np.zeros(summary.calls.shape, dtype=np.bool_))[rows, first:last] = True
    if not hit:
        return summary

    def without(held: dict[str, Floats], fill: float) -> dict[str, Floats]:
        return {metric: np.where(hit[metric], fill, matrix) if metric in hit else matrix for metric, matrix in held.items()}

    return replace(
        summary,
        center=without(dict(summary.center), np.nan),
        spread=without(dict(summary.spread), np.nan),
        minutes=without(dict(summary.minutes), 0.0),
    )


def _again(one: Anomaly, anomalies: Sequence[Anomaly]) -> bool:
    """Whether another day had an anomaly of the same series at about the same time."""
    return any(came_before(one, other) for other in anomalies)
