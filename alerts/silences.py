"""What is muted: silences that people set and maintenance windows that recur. What they mute goes on being scored. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from alerts.matching import labels_of, matches
from core.alert_settings import MaintenanceSettings
from core.config import Settings
from core.errors import ConfigError
from core.maintenance import windows_between
from core.types import Incident, Silence

SILENCED_BY = "silenced_by"


def silencing(incident: Incident, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """The first silence in force that means the incident; None: it may be told."""
    labels = labels_of(incident)
    for silence in silences:
        if silence.starts_at <= now < silence.ends_at and matches(silence.match, labels):
            return silence
    return None


def maintenance(settings: Settings, now: datetime) -> list[Silence]:
    """The maintenance windows that are open now, as silences."""
    zone = ZoneInfo(settings.time_zone)
    found = [window_at(entry, now, zone) for entry in settings.silences]
    return [silence for silence in found if silence is not None]


def window_at(entry: MaintenanceSettings, now: datetime, zone: ZoneInfo) -> Silence | None:
    """The window of an entry that is open at `now`; of several that overlap the latest."""
    found = windows_between(entry, now, now, zone)
    return found[-1] if found else None


def check_windows(entries: Sequence[MaintenanceSettings]) -> None:
    """Raises ConfigError that quotes a cron expression which cannot be read, or never comes."""
    for number, entry in enumerate(entries):
        try:
            next(CronSim(entry.cron, datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            problem = f"{entry.cron!r} is no cron expression ({error or 'it never comes'}); write for example '0 2 * * SUN'"
            raise ConfigError(f"silences.{number}.cron", problem) from error
