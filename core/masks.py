"""Masks: spans that people have spoken about. They are left out of training, and say which anomalies need no message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from core.series import Selector
from core.types import Anomaly

GRACE = timedelta(minutes=5)
"""What begins so shortly before a mask or ends so shortly after it still belongs to it: nobody works by the minute."""

_EVER = datetime(2200, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class MaskKind(StrEnum):
    """Why a span is no example of normal traffic."""

    MAINTENANCE = "maintenance"
    EXPECTED = "expected"
    INCIDENT = "incident"

    @property
    def mutes(self) -> bool:
        """A confirmed incident is only left out of training; the others need no message either."""
        return self is not MaskKind.INCIDENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What somebody said of a span.

    Attributes
    ----------
    start, end : datetime
        Half open; no end: it lasts until somebody ends it.
    selector : Selector
        The calls that it is about; empty: all.
    who, why : str
        For whoever asks later.
    anomaly_id : str
        The anomaly that it was said of, where it was one.
    """

    id: str
    kind: MaskKind
    start: datetime
    end: datetime | None
    selector: Selector
    who: str
    why: str
    made_at: datetime
    anomaly_id: str = ""

    @property
    def until(self) -> datetime:
        return self.end or _EVER

    def overlaps(self, start: datetime, end: datetime) -> bool:
        return self.start < end and start < self.until


def holds(inner: Selector, outer: Selector) -> bool:
    """Whether every call of `inner` is one of `outer`."""
    return outer.labels.items() <= inner.labels.items()


def mask_of(anomaly: Anomaly, masks: Iterable[Mask]) -> Mask | None:
    """The mask that speaks of an anomaly: of its time and its leading series. One that mutes comes first, then the newest."""
    found = [
        mask
        for mask in masks
        if mask.overlaps(anomaly.started_at, anomaly.last_at + _MINUTE) and holds(anomaly.selector, mask.selector)
    ]
    return max(found, key=lambda mask: (mutes(mask, anomaly), mask.made_at, mask.id), default=None)


def mutes(mask: Mask, anomaly: Anomaly) -> bool:
    """Whether an anomaly lies within a mask that wants no message; one that outlasts it is news."""
    inside = anomaly.started_at >= mask.start - GRACE and anomaly.last_at < mask.until + GRACE
    return mask.kind.mutes and mask.start < mask.until and inside


def labelled(anomalies: Sequence[Anomaly], masks: Sequence[Mask]) -> list[Anomaly]:
    """The anomalies with the mask that speaks of each, and whether it mutes it."""
    out = []
    for anomaly in anomalies:
        mask = mask_of(anomaly, masks)
        out.append(replace(anomaly, mask_id=mask.id if mask else "", muted=mask is not None and mutes(mask, anomaly)))
    return out
