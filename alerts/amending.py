"""Late data that changes a verdict: whoever was told is told that it was amended, or withdrawn, in the same thread. Pure.

Detection judges the minutes of ended anomalies again when more calls came to them, and says so in the anomaly's verdict. What
was told of it is kept in the label `verdict`, so that each change is told once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.step import Cause, Notice
from core.types import Anomaly, AnomalyVerdict, Incident, NotifyReason

VERDICT = "verdict"
LATE = timedelta(days=1)
"""How long after it was told an incident may still be amended."""

REASONS: Mapping[AnomalyVerdict, NotifyReason] = {
    AnomalyVerdict.AMENDED: NotifyReason.AMENDED,
    AnomalyVerdict.WITHDRAWN: NotifyReason.WITHDRAWN,
}


def amended(incidents: Iterable[Incident], anomalies: Iterable[Anomaly], now: datetime) -> list[Notice]:
    """What must be told of incidents whose anomalies look different now, with the incidents as they are after it."""
    changed = {one.id: one for one in anomalies if one.verdict in REASONS}
    found = []
    for incident in incidents:
        anomaly = changed.get(incident.anomaly_id)
        if anomaly is None or incident.last_notified_at is None or _is_told(incident, anomaly):
            continue
        found.append(_notice(incident, anomaly, now))
    return found


def _is_told(incident: Incident, anomaly: Anomaly) -> bool:
    return incident.labels.get(VERDICT) == anomaly.verdict.value and incident.summary == anomaly.explanation


def _notice(incident: Incident, anomaly: Anomaly, now: datetime) -> Notice:
    after = replace(
        incident,
        labels={**incident.labels, VERDICT: anomaly.verdict.value},
        summary=anomaly.explanation,
        value=anomaly.observed,
        updated_at=now,
        last_notified_at=now,
    )
    return Notice(incident=after, reason=REASONS[anomaly.verdict], cause=Cause.LATE_DATA)
