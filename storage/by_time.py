"""Which table answers where a rollup that lies in the order of time can: it counts every call only since a moment of its own.

A store that was made by an earlier version has such rollups only since it was migrated (`0020_minutes_in_order.sql`). What lies
before that moment is asked of the rollups that lie by their dimensions, as it always was; so nothing has to be filled up
afterwards, while calls go on coming in late.
"""

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from storage.contract import Store
from storage.frames import epoch_s
from storage.rollups import BY_TIME, Rollup, pick

COUNTED_SINCE = "SELECT name, max(since) AS since FROM counted_since GROUP BY name"
_since: WeakKeyDictionary[Store, Mapping[str, int]] = WeakKeyDictionary()


def choose(store: Store, dimensions: Sequence[str], columns: Sequence[str], step_s: int, first_s: int) -> Rollup:
    """The table to ask for what begins at `first_s` (seconds since 1970) or later: one of these, else `rollups.pick`."""
    able = [rollup for rollup in BY_TIME if rollup.answers(dimensions, columns, step_s)]
    if not able:
        return pick(dimensions, columns, step_s)
    since = counted_since(store)
    return next((one for one in able if since.get(one.table, first_s + 1) <= first_s), pick(dimensions, columns, step_s))


def counted_since(store: Store) -> Mapping[str, int]:
    """Since when (seconds since 1970) each of these rollups counts every call; it never changes, so it is asked once."""
    if store not in _since:
        _since[store] = {str(row["name"]): epoch_s(row["since"]) for row in store.arrow(COUNTED_SINCE).to_pylist()}
    return _since[store]
