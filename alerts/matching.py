"""Which incidents a route or a silence means, and which minutes of the week a time interval does. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.alert_settings import DAYS, TimeInterval
from core.types import Incident


def matches(match: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether all of `match` holds: values are equal, or with a leading `~` a regular expression fits all of the label.

    A label that is missing is empty.
    """
    for name, wanted in match.items():
        value = labels.get(name, "")
        if wanted.startswith("~"):
            if re.fullmatch(wanted[1:], value) is None:
                return False
        elif value != wanted:
            return False
    return True


def labels_of(incident: Incident) -> dict[str, str]:
    """An incident's labels, with what else it can be told by."""
    told_by = {"severity": incident.severity.value, "rule": incident.rule, "kind": incident.kind, "metric": incident.metric}
    return {**told_by, **incident.labels}


def within(interval: TimeInterval, at: datetime, zone: ZoneInfo) -> bool:
    """Whether an instant lies in a span of the week; one over midnight belongs to the day that it begins on."""
    local = at.astimezone(ZoneInfo(interval.time_zone) if interval.time_zone else zone)
    minute, (start, end) = local.hour * 60 + local.minute, interval.minutes()
    today = DAYS[local.weekday()] in interval.days
    if start < end:
        return today and start <= minute < end
    yesterday = DAYS[(local - timedelta(days=1)).weekday()] in interval.days
    return (today and minute >= start) or (yesterday and minute < end)
