"""Rollup steps made anew from the calls that are kept, without those that are to be deleted.

Steps are told by their keys (time, dimensions, origin) in `deletion_keys`. Only steps of which every call is still kept are
taken: retention removes single calls earlier than the rollups' numbers, and what is counted of those must stay.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from storage.contract import Store, Value
from storage.mutations import delete_where
from storage.rollups import (
    CALLS_1S,
    MODEL_1M,
    PROVIDER_1M,
    QUANTILE_LEVELS_SQL,
    ROUTE_1M,
    SERVICE_1M,
    STATES_OF_CALLS,
    SUMS_OF_CALLS,
    Rollup,
)

RECOUNTED: tuple[tuple[Rollup, tuple[str, ...]], ...] = (
    (ROUTE_1M, ("gateway", "service", "route")),
    (MODEL_1M, ("provider", "account", "model", "service")),
    (CALLS_1S, ("gateway", "service", "route")),
)
"""Rollups that count a tenant's calls without its name, with their dimensions in the order of the keys."""

FOLLOWING: tuple[tuple[Rollup, tuple[str, ...]], ...] = ((SERVICE_1M, ("service",)), (PROVIDER_1M, ("provider", "model")))
"""Rollups that count whatever is written to MODEL_1M: to be counted anew once that has been."""

GONE = "(t.tenant = {tenant:String} AND t.ingested_at < {before:DateTime64(3, 'UTC')})"
"""The calls to be deleted: what comes in while it goes on is left, in the calls as in every rollup."""

_KEYS = ("k1", "k2", "k3", "k4")
_MODEL_DIMENSIONS = dict(RECOUNTED)[MODEL_1M]
_IN_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
_BUCKETS = {60: "toStartOfMinute(toDateTime(t.ts, 'UTC'))", 1: "toDateTime(toStartOfSecond(t.ts), 'UTC')"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(ABC):
    """The steps of one rollup over one span that are counted anew, for one job.

    Attributes
    ----------
    params : mapping
        `job`, `tenant`, `before`, `start` and `end` (whole steps, half open).
    """

    rollup: Rollup
    dimensions: tuple[str, ...]
    params: dict[str, Value]

    @abstractmethod
    def note(self, store: Store) -> None:
        """Note the steps that are to be counted anew."""

    @abstractmethod
    def make(self, store: Store) -> None:
        """Count the noted steps anew."""

    @abstractmethod
    def wrong(self, store: Store) -> int:
        """How many of the noted steps count something else than they should: those written to at the same time."""

    def noted(self, store: Store) -> bool:
        """Whether there is any such step."""
        sql = f"""SELECT toInt64(count()) AS steps FROM deletion_keys
        WHERE job = {{job:String}} AND rollup = '{self.rollup.table}'
            AND bucket >= {{start:DateTime('UTC')}} AND bucket < {{end:DateTime('UTC')}}"""
        return bool(store.arrow(sql, self._span).column("steps")[0].as_py())

    def remove(self, store: Store) -> None:
        """Order the removal of the noted steps; it must be finished before they are counted anew."""
        table, time = self.rollup.table, self.rollup.time
        names = ", ".join(self.dimensions)
        delete_where(
            store,
            table,
            f"{time} >= {{start:DateTime('UTC')}} AND {time} < {{end:DateTime('UTC')}}"
            f" AND ({time}, {names}, origin) IN ({self._noted})",
            self._span,
        )

    @property
    def _noted(self) -> str:
        keys = ", ".join(_KEYS[: len(self.dimensions)])
        return f"SELECT bucket, {keys}, origin FROM deletion_keys WHERE job = {{job:String}} AND rollup = '{self.rollup.table}'"

    @property
    def _rows_noted(self) -> str:
        """The condition on rows of the rollup, or of one with its dimensions (alias `t`), that they are of noted steps."""
        time, names = self.rollup.time, ", ".join(f"t.{name}" for name in self.dimensions)
        span = f"t.{time} >= {{start:DateTime('UTC')}} AND t.{time} < {{end:DateTime('UTC')}}"
        return f"{span} AND (t.{time}, {names}, t.origin) IN ({self._noted})"

    @property
    def _keys(self) -> str:
        """The dimensions as k1 to k4; those that the rollup has not are empty."""
        texts = [f"toString(t.{name}) AS {key}" for name, key in zip(self.dimensions, _KEYS, strict=False)]
        return ", ".join([*texts, *(f"'' AS {key}" for key in _KEYS[len(self.dimensions) :])])

    @property
    def _span(self) -> dict[str, Value]:
        """What a statement binds that reads noted steps and no call."""
        return {name: self.params[name] for name in ("job", "start", "end")}


class Recount(Steps):
    """Steps of a rollup of calls, from the calls that stay."""

    __slots__ = ()

    def note(self, store: Store) -> None:
        """Note the steps that count calls to be deleted and of which all calls are kept."""
        table, time = self.rollup.table, self.rollup.time
        store.command(
            f"""INSERT INTO deletion_keys (job, rollup, bucket, k1, k2, k3, k4, origin)
            SELECT {{job:String}}, '{table}', a.bucket, a.k1, a.k2, a.k3, a.k4, a.origin
            FROM (SELECT t.{time} AS bucket, {self._keys}, toString(t.origin) AS origin, sum(t.calls) AS counted
                FROM {table} AS t WHERE t.{time} >= {{start:DateTime('UTC')}} AND t.{time} < {{end:DateTime('UTC')}}
                GROUP BY bucket, k1, k2, k3, k4, origin) AS b
            RIGHT JOIN (SELECT {self._bucket} AS bucket, {self._keys}, toString(t.origin) AS origin, count() AS kept,
                    countIf({GONE}) AS gone
                FROM calls AS t WHERE {_IN_SPAN} GROUP BY bucket, k1, k2, k3, k4, origin HAVING gone > 0) AS a
            ON a.bucket = b.bucket AND a.k1 = b.k1 AND a.k2 = b.k2 AND a.k3 = b.k3 AND a.k4 = b.k4 AND a.origin = b.origin
            WHERE a.kept >= b.counted SETTINGS insert_deduplicate = 0""",
            self.params,
        )

    def make(self, store: Store) -> None:
        """Count the noted steps anew, from the calls that stay."""
        time, names = self.rollup.time, ", ".join(self.dimensions)
        sums = [name for name in SUMS_OF_CALLS if name in self.rollup.columns]
        columns = {name: SUMS_OF_CALLS[name] for name in sums}
        if self.rollup.unit_s == 60:
            columns |= {
                state: f"quantilesBFloat16StateIf({QUANTILE_LEVELS_SQL})({value}, {known})"
                for state, (value, known) in STATES_OF_CALLS.items()
            }
        values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        dimensions = ", ".join(f"t.{name} AS {name}" for name in self.dimensions)
        store.command(
            f"""INSERT INTO {self.rollup.table} ({time}, {names}, origin, {", ".join(columns)})
            SELECT {self._bucket} AS {time}, {dimensions}, t.origin AS origin, {values}
            FROM calls AS t WHERE {_IN_SPAN} AND NOT {GONE} AND {self._among_noted}
            GROUP BY {time}, {names}, origin SETTINGS insert_deduplicate = 0""",
            self.params,
        )

    def wrong(self, store: Store) -> int:
        """How many of the noted steps count something else than the calls that stay: those written to at the same time."""
        table, time = self.rollup.table, self.rollup.time
        rows = store.arrow(
            f"""SELECT toInt64(count()) AS wrong FROM (
                SELECT bucket, k1, k2, k3, k4, origin, sum(counted) AS difference FROM (
                    SELECT {self._bucket} AS bucket, {self._keys}, toString(t.origin) AS origin, toInt64(count()) AS counted
                    FROM calls AS t WHERE {_IN_SPAN} AND NOT {GONE} AND {self._among_noted}
                    GROUP BY bucket, k1, k2, k3, k4, origin
                    UNION ALL
                    SELECT t.{time} AS bucket, {self._keys}, toString(t.origin) AS origin, -toInt64(sum(t.calls)) AS counted
                    FROM {table} AS t WHERE {self._rows_noted}
                    GROUP BY bucket, k1, k2, k3, k4, origin)
                GROUP BY bucket, k1, k2, k3, k4, origin HAVING difference != 0)""",
            self.params,
        )
        return int(rows.column("wrong")[0].as_py())

    @property
    def _bucket(self) -> str:
        return _BUCKETS[self.rollup.unit_s]

    @property
    def _among_noted(self) -> str:
        names = ", ".join(f"t.{name}" for name in self.dimensions)
        return f"({self._bucket}, {names}, t.origin) IN ({self._noted})"


class Follow(Steps):
    """Steps of a rollup that follows MODEL_1M, once the noted steps of that have been counted anew."""

    __slots__ = ()

    def note(self, store: Store) -> None:
        """Note the steps that the noted ones of MODEL_1M are part of."""
        keys = [f"m{_MODEL_DIMENSIONS.index(name) + 1}" for name in self.dimensions]
        kept = ", ".join(f"{key} AS {own}" for own, key in zip(_KEYS, [*keys, *["''"] * (len(_KEYS) - len(keys))], strict=True))
        store.command(
            f"""INSERT INTO deletion_keys (job, rollup, bucket, k1, k2, k3, k4, origin)
            SELECT DISTINCT job, '{self.rollup.table}', bucket, {kept}, origin FROM
                (SELECT job, bucket, k1 AS m1, k2 AS m2, k3 AS m3, k4 AS m4, origin FROM deletion_keys
                WHERE job = {{job:String}} AND rollup = '{MODEL_1M.table}'
                    AND bucket >= {{start:DateTime('UTC')}} AND bucket < {{end:DateTime('UTC')}})
            SETTINGS insert_deduplicate = 0""",
            self._span,
        )

    def make(self, store: Store) -> None:
        """Add the noted steps up anew, from MODEL_1M."""
        names = ", ".join(self.dimensions)
        states = {name: f"quantilesBFloat16MergeState({QUANTILE_LEVELS_SQL})(t.{name})" for name in STATES_OF_CALLS}
        columns = {**{name: f"sum(t.{name})" for name in SUMS_OF_CALLS}, **states}
        values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        dimensions = ", ".join(f"t.{name} AS {name}" for name in self.dimensions)
        store.command(
            f"""INSERT INTO {self.rollup.table} (minute, {names}, origin, {", ".join(columns)})
            SELECT t.minute AS minute, {dimensions}, t.origin AS origin, {values}
            FROM {MODEL_1M.table} AS t WHERE {self._rows_noted}
            GROUP BY minute, {names}, origin SETTINGS insert_deduplicate = 0""",
            self._span,
        )

    def wrong(self, store: Store) -> int:
        """How many of the noted steps do not add up to what MODEL_1M has of them."""
        keys = "bucket, k1, k2, k3, k4, origin"
        of_table = f"t.minute AS bucket, {self._keys}, toString(t.origin) AS origin"
        rows = store.arrow(
            f"""SELECT toInt64(count()) AS wrong FROM (
                SELECT {keys}, sum(counted) AS difference FROM (
                    SELECT {of_table}, toInt64(sum(t.calls)) AS counted
                    FROM {MODEL_1M.table} AS t WHERE {self._rows_noted} GROUP BY {keys}
                    UNION ALL
                    SELECT {of_table}, -toInt64(sum(t.calls)) AS counted
                    FROM {self.rollup.table} AS t WHERE {self._rows_noted} GROUP BY {keys})
                GROUP BY {keys} HAVING difference != 0)""",
            self._span,
        )
        return int(rows.column("wrong")[0].as_py())
