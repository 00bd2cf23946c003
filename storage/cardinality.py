"""Which values columns have, for those who bound them, and how many calls had one too many."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from core.record import OTHER
from storage.contract import Store
from storage.rollups import CALLS, Rollup, pick
from storage.selection import check_dimensions

KNOWN_FOR = timedelta(days=7)
"""How far back values count as known, in the minute rollups."""

KNOWN_FOR_IN_CALLS = timedelta(hours=1)
"""The same for columns that no rollup has: their values are found among the single calls."""

MINUTE_S = 60


def known_values(store: Store, limits: Mapping[str, int], now: datetime) -> dict[str, list[str]]:
    """The values of each column of the last days, most calls first, at most `limits` of them; without `__other__` and unknown.

    Columns that only the single calls have are read over the last hour, since there may be a billion calls. Raises ValueError
    for what is no dimension of a call.
    """
    check_dimensions(limits)
    found = {}
    for name, limit in limits.items():
        source = pick((name,), ("calls",), MINUTE_S)
        sql = f"""SELECT t.{name} AS value, {source.column("calls")} AS calls FROM {source.table} AS t
        WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{name} NOT IN ('', {{other:String}})
        GROUP BY value ORDER BY calls DESC, value LIMIT {{most:UInt64}}"""
        rows = store.arrow(sql, {"start": now - _span(source), "other": OTHER, "most": limit})
        found[name] = [str(value) for value in rows.column("value").to_pylist()]
    return found


def other_calls(store: Store, columns: Iterable[str], now: datetime) -> dict[str, int]:
    """Calls of the last hour whose value of a column became `__other__`; columns without any are left out."""
    names = list(columns)
    check_dimensions(names)
    found: dict[str, int] = {}
    for source, mine in _by_source(names).items():
        counts = ", ".join(
            f"toInt64({'countIf(' if source is CALLS else 'sumIf(t.calls, '}t.{name} = {{other:String}})) AS {name}"
            for name in mine
        )
        sql = f"SELECT {counts} FROM {source.table} AS t WHERE t.{source.time} >= {{start:DateTime('UTC')}}"
        row = store.arrow(sql, {"start": now - KNOWN_FOR_IN_CALLS, "other": OTHER}).to_pylist()[0]
        found |= {name: int(row[name]) for name in mine if row[name]}
    return {name: found[name] for name in names if name in found}


def _by_source(names: Iterable[str]) -> dict[Rollup, list[str]]:
    grouped: dict[Rollup, list[str]] = {}
    for name in names:
        grouped.setdefault(pick((name,), ("calls",), MINUTE_S), []).append(name)
    return grouped


def _span(source: Rollup) -> timedelta:
    return KNOWN_FOR_IN_CALLS if source is CALLS else KNOWN_FOR
