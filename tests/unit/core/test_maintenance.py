from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.alert_settings import MaintenanceSettings
from core.maintenance import MOST, windows_between

SUNDAY = datetime(2026, 3, 29, tzinfo=UTC)  # the day on which Berlin's clocks go forward
ZONE = ZoneInfo("UTC")


def entry(**changed: object) -> MaintenanceSettings:
    return MaintenanceSettings.model_validate({"name": "backups", "cron": "30 4 * * *", "duration": "1h", **changed})


def test_windows_that_touch_the_span_are_found_in_order() -> None:
    found = windows_between(entry(), SUNDAY + timedelta(hours=5), SUNDAY + timedelta(days=1, hours=5), ZONE)
    assert [(one.starts_at, one.ends_at) for one in found] == [
        (SUNDAY + timedelta(hours=4.5), SUNDAY + timedelta(hours=5.5)),
        (SUNDAY + timedelta(days=1, hours=4.5), SUNDAY + timedelta(days=1, hours=5.5)),
    ]
    assert {one.id for one in found} == {"backups"}


def test_an_entrys_own_zone_comes_first() -> None:
    found = windows_between(entry(time_zone="Europe/Berlin"), SUNDAY, SUNDAY + timedelta(hours=12), ZONE)
    assert [one.starts_at for one in found] == [SUNDAY + timedelta(hours=2.5)]


def test_a_window_of_every_minute_does_not_go_on_for_ever() -> None:
    assert len(windows_between(entry(cron="* * * * *"), SUNDAY, SUNDAY + timedelta(days=30), ZONE)) == MOST
