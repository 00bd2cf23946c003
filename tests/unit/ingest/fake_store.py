"""A store in memory that can fail and hang, for the consumer's tests."""

import threading
from collections.abc import Callable

import pandas as pd
import pyarrow as pa

from storage.contract import Capabilities, Params


class FakeStore:
    """Keeps what is inserted, by table; honours tokens. `failures` are raised one by one by the next inserts into `calls`."""

    def __init__(self) -> None:
        self.tables: dict[str, list[pa.Table]] = {}
        self.failures: list[Exception] = []
        self.failing: Callable[[], Exception | None] = lambda: None
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()
        self.attempts = 0
        self._tokens: set[tuple[str, str]] = set()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name="fake", version="0", arrow=True, owner=False)

    def rows(self, table: str) -> list[dict[str, object]]:
        """All rows of a table, in the order of writing."""
        return [row for part in list(self.tables.get(table, [])) for row in part.to_pylist()]

    def offsets(self, partition: int = 0) -> list[object]:
        """Offsets of the calls of a partition, in the order of writing."""
        return [row["offset"] for row in self.rows("calls") if row["partition"] == partition]

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        if table == "calls":
            self.attempts += 1
            self.waiting.set()
            assert self.open.wait(30), "the test never opened the store"
            failure = self.failures.pop(0) if self.failures else self.failing()
            if failure is not None:
                raise failure
        if token is not None:
            if (table, token) in self._tokens:
                return
            self._tokens.add((table, token))
        self.tables.setdefault(table, []).append(rows)

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        if "FROM watermarks" in sql:
            latest = {(row["topic"], row["partition"]): row for row in self.rows("watermarks")}
            return pa.Table.from_pylist(list(latest.values())).drop_columns(["seq"] if latest else [])
        raise AssertionError(f"the fake store answers no {sql!r}")

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        raise AssertionError(f"the fake store answers no {sql!r}")

    def command(self, sql: str, params: Params | None = None) -> None:
        raise AssertionError(f"the fake store runs no {sql!r}")

    def close(self) -> None:
        """Nothing to release."""
