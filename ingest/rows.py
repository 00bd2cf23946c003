"""Rows of a file, some at a time, and why there may be none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa

from ingest.formats.tables import objects_of

MAX_ROW_BYTES = 16 * 1024 * 1024
"""Longest line or element; a longer one is no call record."""


class Damaged(Exception):
    """The file cannot be read on; the message says what is wrong, without naming the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that is no record at all, with its bytes as far as they are kept."""

    reason: str
    detail: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: its number, its value, and about how many bytes it takes."""

    number: int
    value: object
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class TableRows(Sequence[dict[str, Any]]):
    """Rows of a table, which become objects only where they are asked for."""

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(objects_of(self.table))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> "TableRows": ...

    def __getitem__(self, index: int | slice) -> "dict[str, Any] | TableRows":
        if isinstance(index, slice):
            return TableRows(self.table.take(np.arange(len(self))[index]))
        return objects_of(self.table.slice(range(len(self))[index], 1))[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Consecutive rows of a file, blank ones left out.

    Attributes
    ----------
    numbers : ndarray of int64, shape (rows,)
        Ascending.
    values : sequence of shape (rows,)
        `Lines` or a list of bytes (JSON texts), `TableRows` or a list of objects, or one `Unreadable`.
    sizes : ndarray of int64, shape (rows,)
        About how many bytes each takes.
    """

    numbers: np.ndarray
    values: Sequence[Any]
    sizes: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Rows":
        """Single rows together; all are readable, or there is one."""
        return cls(
            numbers=np.array([row.number for row in rows], np.int64),
            values=[row.value for row in rows],
            sizes=np.array([row.size_bytes for row in rows], np.int64),
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Row]:
        for number, value, size in zip(self.numbers.tolist(), self.values, self.sizes.tolist(), strict=True):
            yield Row(number, value, size)

    def part(self, start: int, stop: int) -> "Rows":
        """The rows at the places from `start` to before `stop`."""
        if start == 0 and stop >= len(self):
            return self
        return Rows(numbers=self.numbers[start:stop], values=self.values[start:stop], sizes=self.sizes[start:stop])
