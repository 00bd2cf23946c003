"""Windows of maintenance that recur: when they are open. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

from core.alert_settings import MaintenanceSettings
from core.types import Silence

MOST = 1000
"""Windows of one entry that are looked for: one of every minute would go on for ever."""


def windows_between(entry: MaintenanceSettings, start: datetime, end: datetime, zone: ZoneInfo) -> list[Silence]:
    """The windows of an entry that are open at some time of [start, end], in order, as silences; `zone` where it names none."""
    found: list[Silence] = []
    for local in CronSim(
        entry.cron, (start - entry.duration).astimezone(ZoneInfo(entry.time_zone) if entry.time_zone else zone)
    ):
        if local > end or len(found) == MOST:
            break
        begins = local.astimezone(UTC)
        found.append(
            Silence(
                id=entry.name,
                match=entry.match,
                starts_at=begins,
                ends_at=begins + entry.duration,
                created_at=begins,
                created_by="configuration",
                comment=entry.comment,
            )
        )
    return found
