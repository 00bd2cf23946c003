"""Days known beforehand: midnight to midnight of the calendar's clock, and the turn of the year as far as it is kept."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.days_off import occasions_between
from analytics.forecasting.occasions import Occasion
from analytics.predicted import Known, Wanted, predict
from analytics.predicting import SeriesToForecast
from core.calendars import Calendar, Calendars
from core.config import ForecastEvent
from core.series import ALL_CALLS

HOLIDAYS = frozenset({date(2026, 3, 17), date(2026, 4, 7), date(2026, 4, 11), date(2027, 1, 1)})
AUCKLAND = Calendar(time_zone="Pacific/Auckland", days_off=HOLIDAYS)
START = datetime(2026, 3, 1, tzinfo=UTC)


def over_the_years(days_off: frozenset[date]) -> dict[str, Occasion]:
    calendar = Calendar(time_zone="UTC", days_off=days_off)
    first = datetime(2025, 12, 1, tzinfo=UTC)
    return {one.name: one for one in occasions_between((), calendar, first, first + timedelta(days=60), 3600)}


def test_days_are_those_of_the_calendars_clock_within_the_span() -> None:
    first, second, third = occasions_between((), AUCKLAND, START, START + timedelta(days=60), 3600)
    assert (first.start, first.end) == (15 * 24 + 11, 16 * 24 + 11)
    assert second.start == 36 * 24 + 12  # summer time has ended
    assert [one.kind for one in (first, second, third)] == ["day off, working day"] * 2 + ["day off, weekend"]
    assert first.name == "17 March"


def test_events_come_with_the_days_and_keep_what_is_expected_of_them() -> None:
    event = ForecastEvent(name="sale", start=START, end=START + timedelta(hours=5), uplift=1.4)
    sale, *days = occasions_between([event], AUCKLAND, START, START + timedelta(days=60), 3600)
    assert (sale.name, sale.start, sale.end, sale.uplift, sale.kind) == ("sale", 0, 5, 1.4, "")
    assert len(days) == 3


def test_the_turn_of_the_year_is_kept_where_christmas_is_a_day_off_and_perhaps_where_nobody_said() -> None:
    christmas, boxing = date(2025, 12, 25), date(2025, 12, 26)
    kept, perhaps = over_the_years(frozenset({christmas, boxing})), over_the_years(frozenset())
    assert list(kept) == [*(f"{day} December" for day in range(24, 32)), "01 January", "02 January"]
    assert list(perhaps) == list(kept)
    assert (kept["25 December"].kind, kept["27 December"].kind) == ("day off, working day", "turn of the year")
    for name, one in kept.items():
        other = perhaps[name]
        assert one.general is not None
        assert other.general is not None
        assert one.general.factor < other.general.factor < 1.0
        assert one.general.low == other.general.low < 1.0 <= one.general.high == other.general.high


def test_there_is_no_turn_of_the_year_where_christmas_is_a_working_day() -> None:
    assert list(over_the_years(frozenset({date(2026, 1, 1)}))) == ["01 January"]


def test_a_day_off_to_come_is_about_as_quiet_as_the_last_one() -> None:
    hours = np.arange(5 * 168)
    calendar = Calendar(time_zone="UTC", days_off=HOLIDAYS)
    quiet = hours // 24 == (date(2026, 3, 17) - START.date()).days
    values = np.where(quiet, 0.5, 1.0) * (100.0 + 80.0 * np.sin(hours / 24 * 2 * np.pi))
    series = SeriesToForecast(metric="tps", selector=ALL_CALLS, start=START, values=values, calls=1)
    wanted = [Wanted(series=series, choice=None)]
    known = Known(calendars=Calendars(common=calendar))
    usual, made = (predict(wanted, 168, one)[wanted[0].key].points for one in (Known(), known))
    number = np.arange(168) // 24 + (len(hours) // 24)
    day, weekend = (number == (date(2026, 4, at) - START.date()).days for at in (7, 11))
    was, now = (points["q50"].to_numpy() for points in (usual, made))
    assert 0.5 < now[day].sum() / was[day].sum() < 0.7
    assert 0.8 < now[weekend].sum() / was[weekend].sum() < 1.0, "none was seen of weekends"
    assert now[~day & ~weekend].sum() == pytest.approx(was[~day & ~weekend].sum(), rel=0.01)
    assert made["q05"].to_numpy()[day].sum() < 0.45 * was[day].sum()
