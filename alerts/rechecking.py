"""Incidents of thresholds, judged once more when late calls have had their time: one that was none is withdrawn. Pure.

The windows of its life are read again, `AFTER` its end. Where the rule is judged by seconds as well, those in which it opened
count too: whole minutes may hide what seconds showed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from alerts.amending import VERDICT
from alerts.evaluate import is_breached, judge_windows
from alerts.grouping import is_group
from alerts.live import SECOND, STEP, judge_live
from alerts.step import Cause, Notice
from alerts.windows import MAX_AGE, MINUTE
from core.clock import floor_to
from core.config import Rule, ThresholdRule
from core.types import AnomalyVerdict, Incident, NotifyReason

AFTER = timedelta(minutes=10)
RECHECKED = "rechecked"
_MOST_OPENING = timedelta(minutes=5)

Span = tuple[datetime, datetime]


def due(incidents: Iterable[Incident], rules: Mapping[str, Rule], now: datetime) -> list[tuple[Incident, ThresholdRule]]:
    """Told incidents of thresholds that ended `AFTER` ago or longer and were not looked at since, with their rules."""
    found = []
    for incident in incidents:
        rule, ended = rules.get(incident.rule), incident.resolved_at
        told = incident.last_notified_at is not None and not is_group(incident) and RECHECKED not in incident.labels
        if told and ended is not None and isinstance(rule, ThresholdRule) and AFTER <= now - ended < MAX_AGE + AFTER:
            found.append((incident, rule))
    return found


def minutes_of(incident: Incident) -> Span:
    """Ends of the first and the last whole minute of an ended incident."""
    first = floor_to(incident.started_at, MINUTE) + MINUTE
    return first, max(first, floor_to(incident.resolved_at or incident.started_at, MINUTE) + MINUTE)


def seconds_of(incident: Incident, rule: ThresholdRule) -> list[Span]:
    """The windows by seconds in which it opened: the one that was judged then, and those `STEP` apart before and after it."""
    opened = floor_to(incident.opened_at or incident.started_at, SECOND)
    before = (opened - max(incident.started_at + rule.window, opened - _MOST_OPENING)) // STEP
    ends = [opened + step * STEP for step in range(-max(before, 0), MINUTE // STEP + 1)]
    return [(end - rule.window, end) for end in ends]


def stands(rule: ThresholdRule, minutes: pd.DataFrame, seconds: pd.DataFrame, now: datetime, zone: ZoneInfo) -> bool:
    """Whether one of the windows still breaches, or nothing is known of them any more.

    Parameters
    ----------
    minutes, seconds : DataFrame
        As `storage.windows.read_windows` and `storage.spans.read_spans` give them, of the incident's group alone.
    """
    known = np.isfinite(minutes["value"].to_numpy("float64", na_value=np.nan)).any()
    return not known or is_breached(judge_windows(rule, minutes)) or bool(judge_live(rule, seconds, now, zone).firings)


def rechecked(incident: Incident, now: datetime) -> Incident:
    """The incident with the mark that it was looked at."""
    return replace(incident, labels={**incident.labels, RECHECKED: "yes"}, updated_at=now)


def withdrawn(incident: Incident, now: datetime) -> Notice:
    """What is told of one that does not stand."""
    after = replace(
        rechecked(incident, now),
        labels={**incident.labels, RECHECKED: "yes", VERDICT: AnomalyVerdict.WITHDRAWN.value},
        summary=f"{incident.summary} Withdrawn: with the calls that came late the condition never held.",
        last_notified_at=now,
    )
    return Notice(incident=after, reason=NotifyReason.WITHDRAWN, cause=Cause.LATE_DATA)
