"""What comes again: an anomaly that earlier days had of the same series at about the same time is told with those days.

A dip at a certain hour is a job, a backup or a deployment: whoever reads of it looks for what runs then, not for what broke.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from core.types import Anomaly

SAME_TIME = timedelta(minutes=90)
"""So far apart on the clock (summer time included) is the same time of another day."""
LOOK_BACK = timedelta(days=14)

_DAY = timedelta(days=1)
ANOTHER_DAY = _DAY / 2
"""What began less before belongs to the same day, whatever the date."""
_MOST_DAYS = 3


def came_before(one: Anomaly, other: Anomaly) -> bool:
    """Whether the other is of another day, of the same series, at about the same time."""
    apart = abs(other.started_at - one.started_at)
    within = apart % _DAY
    same = other.selector == one.selector and other.metric == one.metric and other.id != one.id
    return same and apart > ANOTHER_DAY and min(within, _DAY - within) <= SAME_TIME


def told_with_earlier(anomalies: Sequence[Anomaly], earlier: Sequence[Anomaly]) -> list[Anomaly]:
    """The anomalies, each with the earlier days on which it came at about the same time and to the same side."""
    return [_told(one, earlier) for one in anomalies]


def _told(one: Anomaly, earlier: Sequence[Anomaly]) -> Anomaly:
    alike = [
        other.started_at
        for other in earlier
        if other.direction is one.direction and other.started_at < one.started_at and came_before(one, other)
    ]
    days = sorted({at.date() for at in alike if one.started_at - at <= LOOK_BACK}, reverse=True)
    if not days:
        return one
    named = [f"{day:%Y-%m-%d}" for day in days[:_MOST_DAYS]]
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    more = f" and {len(days) - _MOST_DAYS} days more" if len(days) > _MOST_DAYS else ""
    return replace(one, explanation=f"{one.explanation} It came at about this time on {listed}{more} as well.")
