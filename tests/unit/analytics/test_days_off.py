"""Days off of a calendar in forecasts: from midnight to midnight of its clock, and as quiet as the past ones."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.days_off import days_off
from analytics.predicted import Known, Wanted, predict
from analytics.predicting import SeriesToForecast
from core.calendars import Calendar, Calendars
from core.series import ALL_CALLS

HOLIDAYS = frozenset({date(2026, 3, 17), date(2026, 4, 7), date(2026, 4, 11), date(2027, 1, 1)})
AUCKLAND = Calendar(time_zone="Pacific/Auckland", days_off=HOLIDAYS)
START = datetime(2026, 3, 1, tzinfo=UTC)


def test_days_are_those_of_the_calendars_clock_within_the_span() -> None:
    first, second, third = days_off(AUCKLAND, START, START + timedelta(days=60))
    assert (first.start, first.end) == (datetime(2026, 3, 16, 11, tzinfo=UTC), datetime(2026, 3, 17, 11, tzinfo=UTC))
    assert second.start == datetime(2026, 4, 6, 12, tzinfo=UTC)  # summer time has ended
    assert [one.name for one in (first, second, third)] == ["day off, working day", "day off, working day", "day off, weekend"]


def test_a_day_off_to_come_is_as_quiet_as_the_last_one() -> None:
    hours = np.arange(5 * 168)
    calendar = Calendar(time_zone="UTC", days_off=HOLIDAYS)
    quiet = hours // 24 == (date(2026, 3, 17) - START.date()).days
    values = np.where(quiet, 0.3, 1.0) * (100.0 + 50.0 * np.sin(hours / 24 * 2 * np.pi))
    series = SeriesToForecast(metric="tps", selector=ALL_CALLS, start=START, values=values, calls=1)
    wanted = [Wanted(series=series, choice=None)]
    known = Known(calendars=Calendars(common=calendar))
    usual, made = (predict(wanted, 168, one)[wanted[0].key].points["q50"].to_numpy() for one in (Known(), known))
    day = (date(2026, 4, 7) - START.date()).days * 24 - len(hours)
    assert made[day : day + 24].sum() == pytest.approx(0.3 * usual[day : day + 24].sum(), rel=0.05)
    assert np.delete(made, range(day, day + 24)).sum() == pytest.approx(np.delete(usual, range(day, day + 24)).sum(), rel=0.01)
