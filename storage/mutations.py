"""Deleting and changing rows in place, which ClickHouse does in the background: ordered, then waited for.

Only for what the law asks for. Everything else in this room appends.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from core.errors import StoreError, StoreUnavailable
from storage.contract import Store, Value
from storage.identifiers import checked

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 2.0
_LONGEST_S = 3600.0
UNFINISHED = """
SELECT toInt64(count()) AS unfinished, any(table) AS name, any(latest_fail_reason) AS reason FROM system.mutations
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND NOT is_done
"""
_IN_BACKGROUND = "SETTINGS mutations_sync = 0"  # it may take longer than a statement is allowed to

Wait = Callable[[float], object]


def delete_where(store: Store, table: str, where: str, params: Mapping[str, Value]) -> None:
    """Order the deletion of the rows that meet the condition; `finish` waits for it. Rows that come in meanwhile stay."""
    if _any(store, table, where, params):
        store.command(f"ALTER TABLE {checked(table)} DELETE WHERE {where} {_IN_BACKGROUND}", params)


def update_where(store: Store, table: str, assignments: str, where: str, params: Mapping[str, Value]) -> None:
    """Order a change of the rows that meet the condition; `finish` waits for it."""
    if _any(store, table, where, params):
        store.command(f"ALTER TABLE {checked(table)} UPDATE {assignments} WHERE {where} {_IN_BACKGROUND}", params)


def finish(store: Store, tables: Sequence[str], wait: Wait = time.sleep) -> None:
    """Wait until all that was ordered of these tables is carried out.

    Raises StoreError when ClickHouse cannot carry it out, StoreUnavailable when it takes more than an hour (it then goes on).
    """
    waited_s, pause_s = 0.0, _FIRST_PAUSE_S
    while True:
        row = store.arrow(UNFINISHED, {"tables": list(tables)}).to_pylist()[0]
        if not row["unfinished"]:
            return
        if row["reason"]:
            raise StoreError(f"store: a change of {row['name']} fails: {str(row['reason']).splitlines()[0]}")
        if waited_s > _LONGEST_S:
            raise StoreUnavailable(f"store: a change of {row['name']} takes more than an hour; try again when it is done")
        wait(pause_s)
        waited_s += pause_s
        pause_s = min(1.3 * pause_s, _LONGEST_PAUSE_S)  # a change takes a fraction of a second, or long


def _any(store: Store, table: str, where: str, params: Mapping[str, Value]) -> bool:
    """Whether a row meets the condition; a change of none takes its turn in the background all the same."""
    sql = f"SELECT toInt64(count()) AS found FROM (SELECT 1 FROM {checked(table)} WHERE {where} LIMIT 1)"
    asked = {name: value for name, value in params.items() if f"{{{name}:" in sql}
    return bool(store.arrow(sql, asked).column("found")[0].as_py())
