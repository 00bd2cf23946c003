"""Every table that calls are counted in."""

from storage.rollups import BY_TIME, CALLS, ROLLUPS

ROLLUP_TABLES: tuple[str, ...] = tuple(one.table for one in (*ROLLUPS, *BY_TIME) if one is not CALLS)
