"""Bounds how many different values a column has: what comes beyond its limit is written as `__other__`. Pure but for metrics.

A column's values are let through in the order that they come, the frequent ones of a batch first, until there are as many as
its limit. What was let through stays. `seed` begins with what the store knows (`storage/cardinality.py`); called again, say
once a day, it also forgets what is no longer used. Several processes that write to one store are bounded each for itself.

A record that is read again after a crash may meet another set of known values, and be `__other__` where it was not before: its
token decides that it is not written twice, and the sums of calls and rollups agree all the same.
"""

import logging
import threading
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.config import CardinalitySettings
from core.record import OTHER
from core.telemetry import INGEST_KNOWN_VALUES, INGEST_OTHER_VALUES
from ingest.paths import PathTemplates

logger = logging.getLogger(__name__)

_FREE = pa.array(["", OTHER])
"""Always let through, and not counted: unknown, and what is too much already."""


class CardinalityGuard:
    """Templates of routes and limits of columns, for batch after batch. Safe to use from several threads.

    Parameters
    ----------
    limits : mapping
        Column (of strings, or of dictionaries of strings) → most different values; the empty one is not counted.
    templates : PathTemplates, optional
        Makes templates of the column `route`; without them it is taken as it is.
    """

    def __init__(self, limits: Mapping[str, int], templates: PathTemplates | None = None) -> None:
        self._columns = {name: _Column(name, limit) for name, limit in limits.items()}
        self._templates = templates

    def seed(self, known: Mapping[str, Iterable[str]]) -> None:
        """Begin anew with these values, most used first; columns that are not named keep what they know."""
        for name, values in known.items():
            if name in self._columns:
                self._columns[name].seed(values)

    def apply(self, rows: pa.Table) -> pa.Table:
        """The rows with their routes as templates and with no more than the allowed values; columns keep their types."""
        if not rows.num_rows:
            return rows
        if self._templates is not None and "route" in rows.schema.names:
            rows = _replaced(rows, "route", _templated(rows.column("route"), self._templates))
        for name, column in self._columns.items():
            if name in rows.schema.names:
                rows = _replaced(rows, name, column.bounded(rows.column(name)))
        return rows

    @property
    def known(self) -> Mapping[str, int]:
        """How many values of each column have been let through."""
        return {name: column.size for name, column in self._columns.items()}


def build_guard(settings: CardinalitySettings) -> CardinalityGuard:
    """The guard that the configuration asks for, not seeded."""
    return CardinalityGuard(settings.limits, PathTemplates() if settings.template_paths else None)


class _Column:
    """What is known of one column: an Arrow array that is never changed, only replaced by a longer one."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit = name, limit
        self._known = _FREE
        self._lock = threading.Lock()
        self._told = False

    @property
    def size(self) -> int:
        return len(self._known) - len(_FREE)

    def seed(self, values: Iterable[str]) -> None:
        allowed = dict.fromkeys(value for value in values if value not in ("", OTHER))
        with self._lock:
            self._know(pa.concat_arrays([_FREE, pa.array(list(allowed)[: self._limit], pa.string())]))

    def bounded(self, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
        """The column itself while it has no value that is not known; else with what is too much replaced."""
        if pc.all(pc.is_in(_distinct(column), value_set=self._known)).as_py():
            return column
        encoded = _encoded(column)
        counts = np.bincount(encoded.indices.to_numpy(zero_copy_only=False), minlength=len(encoded.dictionary))
        refused = self._let_in(encoded.dictionary, counts)
        if not refused.any():
            return column
        INGEST_OTHER_VALUES.labels(self._name).inc(int(counts[refused].sum()))
        return pc.if_else(pa.array(refused), OTHER, encoded.dictionary).take(encoded.indices).cast(column.type)

    def _let_in(self, values: pa.Array, counts: np.ndarray) -> np.ndarray:
        """Let values in while there is room, the frequent ones first; returns a mask of those that found none."""
        with self._lock:
            known = pc.is_in(values, value_set=self._known).to_numpy(zero_copy_only=False)
            refused: np.ndarray = ~known & (counts > 0)
            room = max(0, self._limit - self.size)
            if room and refused.any():
                new = np.flatnonzero(refused)
                admitted = np.sort(new[np.argsort(-counts[new], kind="stable")[:room]])  # of equals the first
                refused[admitted] = False
                self._know(pa.concat_arrays([self._known, values.take(pa.array(admitted))]))
            if refused.any() and not self._told:
                self._told = True
                logger.warning(
                    "column %s has reached its limit of %d values; further ones are written as %s (cardinality.%s raises it)",
                    self._name,
                    self._limit,
                    OTHER,
                    self._name,
                )
            return refused

    def _know(self, values: pa.Array) -> None:
        self._known = values
        INGEST_KNOWN_VALUES.labels(self._name).set(self.size)


def _distinct(column: pa.ChunkedArray) -> pa.Array:
    return _encoded(column).dictionary if pa.types.is_dictionary(column.type) else pc.unique(column)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One array with one dictionary."""
    whole = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    chunks = whole.combine_chunks()
    return chunks if isinstance(chunks, pa.DictionaryArray) else chunks.chunk(0)


def _templated(column: pa.ChunkedArray, templates: PathTemplates) -> pa.ChunkedArray | pa.Array:
    encoded = _encoded(column)
    made = templates.of(encoded.dictionary)
    return column if made.equals(encoded.dictionary) else made.take(encoded.indices).cast(column.type)


def _replaced(rows: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    if column is rows.column(name):
        return rows
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
