"""What people said of an incident from chat, as masks: that time is left out of training. Pure.

*Expected* masks an incident's whole time; while it lasts the mask has no end yet and mutes nothing, so that what comes after is
still told. *Snooze* masks up to its end. A mask's id is that of its incident, so that each state replaces the one before.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from alerts.grouping import is_group
from alerts.inhibition import selection
from alerts.state import ACKNOWLEDGED_BY, EXPECTED
from core.masks import Mask, MaskKind
from core.series import Selector
from core.types import Incident, IncidentState

KINDS = frozenset({"threshold", "anomaly", "objective", "absence"})
"""Kinds of rules that are about traffic; others say nothing of what is learned from."""

_MINUTE = timedelta(minutes=1)


def masks_of(before: Iterable[Incident], after: Iterable[Incident], now: datetime) -> list[Mask]:
    """The masks that change by a step, made at `now`, from the incidents before and after it."""
    earlier = {one.id: _mask(one, now) for one in before}
    found = ((one.id, _mask(one, now)) for one in after)
    return [mask for incident_id, mask in found if mask is not None and mask != earlier.get(incident_id)]


def _mask(incident: Incident, now: datetime) -> Mask | None:
    expected, about = EXPECTED in incident.labels, selection(incident.labels)
    if incident.kind not in KINDS or (is_group(incident) and not about):
        return None
    if not expected and incident.snoozed_until is None:
        return None
    over = incident.resolved_at if incident.state is IncidentState.RESOLVED else None
    ends = [at for at in (over, None if expected else incident.snoozed_until) if at is not None]
    return Mask(
        id=f"chat-{incident.id}",
        kind=MaskKind.EXPECTED if expected and over else MaskKind.INCIDENT,
        start=incident.started_at,
        end=max(min(ends), incident.started_at + _MINUTE) if ends else None,
        selector=Selector.of(about),
        who=f"chat ({incident.labels.get(ACKNOWLEDGED_BY, 'snoozed')})",
        why=f"{'expected' if expected else 'snoozed'}, said of incident {incident.id}: {incident.title}",
        made_at=now,
        anomaly_id=incident.anomaly_id,
    )
