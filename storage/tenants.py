"""Deletes one tenant's data and leaves all else equal.

In this order, so that an interrupted deletion is carried on by calling it again:

1. The rollups without a tenant are made anew, week by week, where every call of a step is still kept (`storage/recount.py`),
   and checked against the calls that stay; where somebody writes to the same steps it is done again.
2. The tenant's calls go.
3. What carries its name goes: `tenant_1m`, hours, baselines, forecasts, anomalies, masks, incidents and their messages,
   samples, and dead letters whose bytes have the name as a JSON text. Where words of others name it, the name does.
4. The hours that held such calls are made anew from the rollups; counters of transactions go for the minutes that were made
   anew, and the job that counts them does it again.

What stays: numbers of steps whose single calls retention has removed already (they name no tenant), calls that were counted as
`__other__`, a detector's memory (a week at most), definitions of transactions that name it as the configuration does, tokens
for it (revoke them), and the audit's note that this was done.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson

from core.clock import runs_of
from core.record import OTHER
from core.series import Selector
from storage.audit import write_audit
from storage.contract import Store, Value
from storage.frames import moment
from storage.hours import refresh_hours
from storage.mutations import Wait, delete_where, finish, update_where
from storage.recount import FOLLOWING, GONE, RECOUNTED, Follow, Recount, Steps
from storage.selection import within
from storage.sequence import next_seq

DELETED = "__deleted__"
"""Stands for the tenant in what another selection's anomaly names besides."""

STARTED, DONE = "tenant.delete.started", "tenant.delete.done"

_SPAN_S = 7 * 86_400
_HOUR = timedelta(hours=1)
_ATTEMPTS = 5
_PAUSE_S = 1.0

_OF_SELECTIONS = (
    "hours",
    "baselines",
    "forecasts",
    "forecast_backtests",
    "anomalies",
    "masks",
    "frozen_baselines",
    "frozen_mixes",
    "learning",
    "recommendations",
    "changes",
    "change_verdicts",
)
"""Tables of selections, which may be of a tenant: in the column `selector`."""

_NAMED = (
    *_OF_SELECTIONS,
    "tenant_1m",
    "unpriced_1m",
    "unpriced_1h",
    "incidents",
    "notifications",
    "silences",
    "samples",
    "dead_letters",
)
"""Tables that carry tenants' names."""

COUNT_TRACES = """
SELECT
    (SELECT toInt64(count()) FROM calls WHERE tenant = {tenant:String}) AS calls,
    (SELECT toInt64(sum(calls)) FROM tenant_1m WHERE tenant = {tenant:String}) AS counted_calls,
    (SELECT toInt64(count()) FROM dead_letters WHERE {letters}) AS dead_letters,
    (SELECT toInt64(uniqExact(id)) FROM anomalies WHERE 1{selected}) AS anomalies,
    (SELECT toInt64(uniqExact(id)) FROM incidents WHERE labels['tenant'] = {tenant:String}) AS incidents,
    (SELECT toInt64(count()) FROM hours WHERE 1{selected}) AS hours,
    (SELECT toInt64(count()) FROM baselines WHERE 1{selected}) AS baselines,
    (SELECT toInt64(count()) FROM forecasts WHERE 1{selected}) AS forecasts,
    (SELECT toInt64(count()) FROM samples WHERE labels['tenant'] = {tenant:String}) AS samples
"""
SPANS_OF_GONE = f"""
SELECT min(hour) AS first, max(hour) AS last FROM (
    SELECT DISTINCT toStartOfHour(toDateTime(t.ts, 'UTC')) AS hour FROM calls AS t WHERE {GONE})
GROUP BY intDiv(toUnixTimestamp(hour), {{width:Int64}}) ORDER BY first
"""
# Hours that were made, and of calls that are kept: one with more was given as a whole, or has lost calls to retention.
NOTE_HOURS = f"""
INSERT INTO deletion_keys (job, rollup, bucket)
SELECT {{job:String}}, 'hours', a.hour
FROM (SELECT hour, max(h.calls) AS counted FROM hours AS h FINAL WHERE h.scope = 'global' GROUP BY hour) AS b
INNER JOIN (SELECT toStartOfHour(toDateTime(t.ts, 'UTC')) AS hour, count() AS kept, countIf({GONE}) AS gone
    FROM calls AS t GROUP BY hour HAVING gone > 0) AS a ON a.hour = b.hour
WHERE a.kept >= b.counted SETTINGS insert_deduplicate = 0
"""
NOTED_HOURS = "SELECT DISTINCT bucket AS hour FROM deletion_keys WHERE job = {job:String} AND rollup = 'hours' ORDER BY hour"
_NOTED_MINUTES = "SELECT bucket FROM deletion_keys WHERE job = {job:String} AND rollup = 'route_1m'"
_OF_NOTED_HOURS = "SELECT bucket FROM deletion_keys WHERE job = {job:String} AND rollup = 'hours'"
SCOPES_OF_HOURS = "SELECT DISTINCT scope FROM hours ORDER BY scope"
HIGHEST_EPOCH = "SELECT toUInt64(max(epoch)) AS epoch FROM hours"
FIRST_LEFT = "SELECT toInt64(count()) AS calls, min(ts) AS first FROM calls WHERE tenant = {tenant:String}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTraces:
    """What is kept of a tenant; `counted_calls` are those of the minute rollups, which reach back further."""

    calls: int
    counted_calls: int
    dead_letters: int
    anomalies: int
    incidents: int
    hours: int
    baselines: int
    forecasts: int
    samples: int

    @property
    def any(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeletion:
    """What a deletion did.

    Attributes
    ----------
    removed : TenantTraces
        What there was when it began.
    hours : int
        Hours that were made anew.
    unsettled : int
        Steps of the rollups that others kept writing to: nothing was deleted then; call again when it is quieter.
    left : int
        Calls of the tenant that have come in since it began: call again when it sends no more.
    """

    removed: TenantTraces
    hours: int
    unsettled: int
    left: int

    @property
    def complete(self) -> bool:
        return not self.unsettled and not self.left


def traces_of(store: Store, tenant: str) -> TenantTraces:
    """Count what is kept of a tenant. Raises ValueError for a name that stands for many."""
    _check(tenant)
    selected, labels = within(Selector.of(tenant=tenant))
    letters, texts = _letters_of(tenant)
    sql = COUNT_TRACES.replace("{selected}", selected).replace("{letters}", letters)
    return TenantTraces(**store.arrow(sql, {"tenant": tenant, **labels, **texts}).to_pylist()[0])


def delete_tenant(
    store: Store,
    tenant: str,
    *,
    actor: str,
    now: datetime,
    wait: Wait = time.sleep,
    progress: Callable[[str], object] = lambda step: None,
) -> TenantDeletion:
    """Delete everything that is kept of a tenant, and put right what counted it; both ends are noted in the audit.

    May take minutes: ClickHouse rewrites what holds the rows. Raises ValueError for a name that stands for many, and what the
    store raises; calling it again carries on.
    """
    traces = traces_of(store, tenant)
    write_audit(store, now, actor, STARTED, tenant, asdict(traces))
    work = _Deletion(store, tenant, now, wait, progress)
    unsettled = work.recount()
    hours = 0
    if not unsettled:
        work.remove_counts()
        work.remove_calls()
        work.remove_names()
        work.remove_counts()  # again: the job may have counted a minute in between
        hours = work.make_hours()
        work.clear()
    row = store.arrow(FIRST_LEFT, {"tenant": tenant}).to_pylist()[0]
    done = TenantDeletion(removed=traces, hours=hours, unsettled=unsettled, left=0 if unsettled else int(row["calls"]))
    if not unsettled:
        detail = {"removed": asdict(traces), "hours": hours, "left": done.left}
        write_audit(store, now, actor, DONE, tenant, detail)
    return done


class _Deletion:
    """The steps of one deletion."""

    def __init__(self, store: Store, tenant: str, before: datetime, wait: Wait, progress: Callable[[str], object]) -> None:
        self._store, self._tenant, self._wait, self._progress = store, tenant, wait, progress
        self._gone: dict[str, Value] = {"tenant": tenant, "before": before}
        self._job = f"tenant:{tenant}"

    def recount(self) -> int:
        """Make the rollups anew without the tenant's calls; returns how many steps did not settle."""
        spans = self._store.arrow(SPANS_OF_GONE, {**self._gone, "width": _SPAN_S}).to_pylist()
        self._remove("deletion_keys", "job = {job:String} AND rollup != 'hours'", {"job": self._job})
        self._finish("deletion_keys")
        if spans:
            self._store.command(NOTE_HOURS, {**self._gone, "job": self._job})
        unsettled = 0
        for span in spans:
            start, end = moment(span["first"]), moment(span["last"]) + _HOUR
            params: dict[str, Value] = {**self._gone, "job": self._job, "start": start, "end": end}
            self._progress(f"counting the rollups anew, {start:%Y-%m-%d} to {end:%Y-%m-%d}")
            unsettled += self._settle([Recount(rollup=one, dimensions=by, params=params) for one, by in RECOUNTED])
            unsettled += self._settle([Follow(rollup=one, dimensions=by, params=params) for one, by in FOLLOWING])
        return unsettled

    def _settle(self, recounts: Sequence[Steps]) -> int:
        """Make rollups anew, again where somebody has written to the same steps; returns how many steps stay wrong."""
        for one in recounts:
            one.note(self._store)
        left = {one.rollup.table: one for one in recounts if one.noted(self._store)}
        wrong: dict[str, int] = {}
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._wait(_PAUSE_S * 2**attempt)
            for one in left.values():
                one.remove(self._store)
            self._finish(*left)
            for one in left.values():
                one.make(self._store)
            wrong = {name: found for name, one in left.items() if (found := one.wrong(self._store))}
            left = {name: left[name] for name in wrong}
            if not left:
                break
        return sum(wrong.values())

    def remove_calls(self) -> None:
        self._progress("deleting calls")
        self._remove("calls", GONE.replace("t.", ""), self._gone)
        self._finish("calls")

    def remove_names(self) -> None:
        """Remove what carries the tenant's name, and the name where something else speaks of it."""
        tenant: dict[str, Value] = {"tenant": self._tenant}
        selected, labels = within(Selector.of(tenant=self._tenant))
        letters, texts = _letters_of(self._tenant)
        self._progress("deleting results and dead letters")
        of_incidents = "incident_id IN (SELECT id FROM incidents WHERE labels['tenant'] = {tenant:String})"
        self._remove("notifications", of_incidents, tenant)
        self._finish("notifications")
        self._remove_minutes()
        for table in _OF_SELECTIONS:
            self._remove(table, f"1{selected}", labels)
        for table in ("incidents", "samples"):
            self._remove(table, "labels['tenant'] = {tenant:String}", tenant)
        self._remove("silences", "match['tenant'] = {tenant:String}", tenant)
        self._remove("dead_letters", letters, texts)
        self._unname()
        self._finish(*_NAMED)

    def _remove_minutes(self) -> None:
        """The tenant's minutes; where its calls still come in, those before the first of them."""
        row = self._store.arrow(FIRST_LEFT, {"tenant": self._tenant}).to_pylist()[0]
        where, params = "tenant = {tenant:String}", dict[str, Value](tenant=self._tenant)
        if row["calls"]:
            where += " AND minute < {until:DateTime('UTC')}"
            params["until"] = moment(row["first"]).replace(second=0, microsecond=0)
        for table in ("tenant_1m", "unpriced_1m"):
            self._remove(table, where, params)
        self._remove("unpriced_1h", where.replace("minute <", "hour <"), params)

    def _unname(self) -> None:
        pattern = rf"\btenant {re.escape(self._tenant)}([^\w.-]|[.](?:\s|$)|$)"
        spoken: dict[str, Value] = {"pattern": pattern, "words": "tenant (deleted)\\1"}
        for table, columns in (
            ("anomalies", ("explanation",)),
            ("incidents", ("title", "summary", "causes")),
            ("notifications", ("payload",)),
        ):
            for column in columns:
                change = f"{column} = replaceRegexpAll({column}, {{pattern:String}}, {{words:String}})"
                self._update(table, change, f"match({column}, {{pattern:String}})", spoken)
        named = {"piece": _json_piece(self._tenant), "instead": _json_piece(DELETED)}
        change = "contributions = replaceAll(contributions, {piece:String}, {instead:String})"
        self._update("anomalies", change, "position(contributions, {piece:String}) > 0", dict(named))

    def _update(self, table: str, change: str, where: str, params: dict[str, Value]) -> None:
        update_where(self._store, table, change, where, params)

    def _remove(self, table: str, where: str, params: dict[str, Value]) -> None:
        delete_where(self._store, table, where, params)

    def _finish(self, *tables: str) -> None:
        finish(self._store, tables, self._wait)

    def remove_counts(self) -> None:
        """Remove the counters of transactions in the noted minutes: the job that counts makes anew what is left of them."""
        self._remove("transactions_1m", f"minute IN ({_NOTED_MINUTES})", {"job": self._job})
        self._finish("transactions_1m")

    def make_hours(self) -> int:
        """Make the noted hours anew, also those that an interrupted deletion had noted; returns how many."""
        noted = [moment(row["hour"]) for row in self._store.arrow(NOTED_HOURS, {"job": self._job}).to_pylist()]
        scopes = [str(name) for name in self._store.arrow(SCOPES_OF_HOURS).column("scope").to_pylist()]
        if not noted or not scopes:
            return len(noted)
        epoch = int(self._store.arrow(HIGHEST_EPOCH).column("epoch")[0].as_py())
        made_since = next_seq()
        by = tuple(() if name == "global" else tuple(name.split(",")) for name in scopes)
        for first, last in runs_of(noted, _HOUR):
            self._progress(f"making hours anew, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}")
            refresh_hours(self._store, first, last, by, epoch, peaks_of_calls=True)
        # What was not made again had no other calls.
        where = f"seq < {{seq:UInt64}} AND hour IN ({_OF_NOTED_HOURS})"
        self._remove("hours", where, {"seq": made_since, "job": self._job})
        self._finish("hours")
        return len(noted)

    def clear(self) -> None:
        self._remove("deletion_keys", "job = {job:String}", {"job": self._job})
        self._finish("deletion_keys")


def _check(tenant: str) -> None:
    if tenant in ("", OTHER):
        raise ValueError(
            f"{tenant!r} is no tenant's name: it stands for {'calls without one' if not tenant else 'many tenants'}"
        )


def _letters_of(tenant: str) -> tuple[str, dict[str, Value]]:
    """Condition for dead letters whose bytes have the name as a text of its own, however JSON writes it."""
    forms = sorted({json.dumps(tenant), orjson.dumps(tenant).decode()})
    conditions = " OR ".join(f"position(payload, {{text_{at}:String}}) > 0" for at in range(len(forms)))
    return f"({conditions})", {f"text_{at}": form for at, form in enumerate(forms)}


def _json_piece(tenant: str) -> str:
    """A selector's pair as it stands within the JSON of an anomaly's contributions."""
    return orjson.dumps(str(Selector.of(tenant=tenant))).decode()[1:-1]
