"""Minutes are read once, come with those before them, and a gap or a restart reads them anew."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from analytics.features import Panel
from analytics.look_back import LookBack
from analytics.sustained import LEAD
from core.series import ALL_CALLS, Selector
from storage.contract import Store
from tests.unit.analytics.builders import MINUTE, MONDAY

RARE, NEW = Selector.of(route="/rare"), Selector.of(route="/new")
NOON = MONDAY + timedelta(hours=12)


@dataclass
class Minutes:
    """Counts of every minute, each its number since midnight; of the selections only those that have calls in the span."""

    alive: dict[Selector, tuple[datetime, datetime]]
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def __call__(self, store: Store, start: datetime, end: datetime, metrics: tuple[str, ...]) -> Panel:
        self.asked.append((start, end))
        at = np.arange((start - MONDAY) // MINUTE, (end - MONDAY) // MINUTE)
        rows = {}
        for selector, (first, last) in self.alive.items():
            since, until = (first - MONDAY) // MINUTE, (last - MONDAY) // MINUTE
            row = np.where((at >= since) & (at < until), at, 0.0)
            if row.any() or selector == ALL_CALLS:
                rows[selector] = row
        calls = np.array(list(rows.values()))
        return Panel(selectors=tuple(rows), start=start, calls=calls, values={"tps": calls / 60.0})


def always() -> tuple[datetime, datetime]:
    return MONDAY, MONDAY + timedelta(days=2)


def test_minutes_come_with_those_before_them_and_are_read_once(offline: Store) -> None:
    minutes = Minutes(alive={ALL_CALLS: always()})
    look_back = LookBack(minutes)
    first = look_back.read(offline, NOON, NOON + 2 * MINUTE)
    second = look_back.read(offline, NOON + 2 * MINUTE, NOON + 3 * MINUTE)
    assert minutes.asked == [(NOON - LEAD * MINUTE, NOON + 2 * MINUTE), (NOON + 2 * MINUTE, NOON + 3 * MINUTE)]
    assert (first.start, first.minutes) == (NOON - LEAD * MINUTE, LEAD + 2)
    assert (second.start, second.minutes) == (NOON + 2 * MINUTE - LEAD * MINUTE, LEAD + 1)
    whole = minutes(offline, second.start, NOON + 3 * MINUTE, ("tps",))
    np.testing.assert_array_equal(second.calls, whole.calls)
    np.testing.assert_array_equal(second.values["tps"], whole.values["tps"])


def test_what_does_not_follow_is_read_anew(offline: Store) -> None:
    minutes = Minutes(alive={ALL_CALLS: always()})
    look_back = LookBack(minutes)
    look_back.read(offline, NOON, NOON + MINUTE)
    later = look_back.read(offline, NOON + 5 * MINUTE, NOON + 6 * MINUTE)
    assert minutes.asked[-1] == (NOON + (5 - LEAD) * MINUTE, NOON + 6 * MINUTE)
    assert later.calls[0, -1] == 12 * 60 + 5


def test_selections_come_and_go_with_their_calls(offline: Store) -> None:
    gone = NOON - (LEAD - 1) * MINUTE
    minutes = Minutes(alive={ALL_CALLS: always(), RARE: (MONDAY, gone), NEW: (NOON + 2 * MINUTE, NOON + 9 * MINUTE)})
    look_back = LookBack(minutes)
    seen = [look_back.read(offline, at, at + MINUTE) for at in (NOON, NOON + MINUTE, NOON + 2 * MINUTE)]
    assert [panel.selectors for panel in seen] == [(ALL_CALLS, RARE), (ALL_CALLS,), (ALL_CALLS, NEW)]
    assert seen[-1].calls[1].tolist() == [0.0] * LEAD + [12 * 60 + 2]
