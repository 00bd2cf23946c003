"""What rules say of what is known: the words between the evaluation of rules and the life of incidents."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.series import Selector
from core.types import RankedCause, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A rule's condition that holds for one group of labels.

    Attributes
    ----------
    fingerprint : str
        Rule and group: `slow{service="chat"}`, or `anomaly{anomaly="ID"}`.
    labels : mapping
        The dimensions it is about, and the rule's own labels.
    held : bool
        Whether it has held long enough to open an incident; a shorter one only keeps an open incident open.
    since, until : datetime
        Start of the first minute and end of the last known minute in which it held.
    scopes : tuple of Selector
        The selections that it is known to concern; the first leads.
    causes : tuple of RankedCause
        What explains it, the largest share first.
    lower, upper : float
        The expected range; NaN where the kind has none.
    """

    rule: str
    kind: str
    fingerprint: str
    labels: Mapping[str, str]
    severity: Severity
    title: str
    summary: str
    metric: str
    value: float
    threshold: float
    unit: str
    since: datetime
    until: datetime
    held: bool
    scopes: tuple[Selector, ...] = ()
    anomaly_id: str = ""
    runbook: str = ""
    causes: tuple[RankedCause, ...] = ()
    lower: float = math.nan
    upper: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """A rule's condition that is known not to hold.

    Attributes
    ----------
    since : datetime
        End of the last minute in which it did hold, as far as was looked.
    recovered : bool
        Whether it has been gone long enough to end an incident.
    value : float
        What was observed instead; NaN where the kind has none.
    until : datetime or None
        End of the window that was judged; None where the kind has no windows.
    recover_after : timedelta
        How long it must be gone.
    """

    fingerprint: str
    since: datetime
    recovered: bool
    value: float = math.nan
    until: datetime | None = None
    recover_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one rule says at one instant; a fingerprint in neither list is unknown."""

    firings: tuple[Firing, ...] = ()
    clears: tuple[Clear, ...] = ()


def joined(judgements: Iterable[Judgement]) -> Judgement:
    """What several say, as one."""
    found = list(judgements)
    return Judgement(
        firings=tuple(firing for one in found for firing in one.firings),
        clears=tuple(clear for one in found for clear in one.clears),
    )
