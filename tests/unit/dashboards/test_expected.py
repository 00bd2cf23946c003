import numpy as np
import pandas as pd

from core.calendars import SLOTS, Calendar
from dashboards.expected import expected_range

UTC = Calendar(time_zone="UTC")
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def table(slots: range = range(SLOTS)) -> pd.DataFrame:
    """Each slot expects its own number."""
    values = np.array(slots, dtype=float)
    return pd.DataFrame({"slot": list(slots), "lower": values - 1, "expected": values, "upper": values + 1})


def at(*times: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(times), utc=True))


def test_the_middle_of_an_hour_has_its_slots_value() -> None:
    found = expected_range(table(), at("2026-03-02T05:29:30"), 60, UTC)
    assert found["expected"].tolist() == [5.0]
    assert (found["lower"].tolist(), found["upper"].tolist()) == ([4.0], [6.0])


def test_between_the_middles_values_are_interpolated() -> None:
    found = expected_range(table(), at("2026-03-02T05:59:30"), 60, UTC)
    assert found["expected"].tolist() == [5.5]


def test_the_weeks_end_leads_to_its_begin() -> None:
    sunday = MONDAY + pd.Timedelta(days=7) - pd.Timedelta(seconds=30)
    assert expected_range(table(), pd.Series([sunday]), 60, UTC)["expected"].tolist() == [(167 + 0) / 2]


def test_slots_are_hours_of_the_configured_zone() -> None:
    found = expected_range(table(), at("2026-03-02T05:29:30"), 60, Calendar(time_zone="Europe/Berlin"))
    assert found["expected"].tolist() == [6.0]


def test_a_long_step_is_the_mean_of_what_it_covers() -> None:
    found = expected_range(table(), at("2026-03-02T04:00:00"), 4 * 3600, UTC)
    assert found["expected"].iloc[0] == np.mean([4, 5, 6, 7])


def test_a_missing_slot_is_unknown() -> None:
    found = expected_range(table(range(10)), at("2026-03-02T05:29:30", "2026-03-03T05:29:30"), 60, UTC)
    assert found["expected"].notna().tolist() == [True, False]


def test_steps_keep_their_times() -> None:
    starts = at("2026-03-02T05:00:00", "2026-03-02T06:00:00")
    found = expected_range(table(), starts, 3600, UTC)
    assert found["ts"].tolist() == starts.tolist()
    assert len(expected_range(table(), starts.head(0), 3600, UTC)) == 0
