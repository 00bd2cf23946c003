"""Transactions: their definitions, and their exact counters by minute, made from the single calls and read as series."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from core.record import TS_TYPE
from core.transactions import Transaction, is_wild
from storage.contract import Params, Store, Value
from storage.frames import EVENT_FIELDS, events_table, moment
from storage.rollups import IS_RATE_LIMITED, QUANTILE_LEVELS_SQL
from storage.selection import check_dimensions
from storage.sequence import next_seq

DEFINITIONS = """
SELECT name, version, definition, at FROM transaction_definitions
WHERE empty({name:String}) OR name = {name:String}
ORDER BY name, epoch DESC, seq DESC LIMIT 1 BY name, version
"""
# Minutes whose rollup knows another number of calls than the counters were made from. Of older minutes only those of imports:
# there, retention may have removed single calls, and half of a minute is no count.
STALE_MINUTES = """
SELECT wanted.minute AS minute, wanted.name AS name, toInt64(wanted.calls) AS calls
FROM (SELECT minute, calls, expiring, name, version
    FROM (SELECT minute, sum(calls) AS calls, countIf(origin != 'import') AS expiring FROM route_1m
        WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')} GROUP BY minute)
    ARRAY JOIN {names:Array(String)} AS name, {versions:Array(String)} AS version) AS wanted
LEFT JOIN (SELECT minute, toString(transaction) AS name, toString(version) AS version, argMax(seen, (epoch, seq)) AS seen
    FROM transactions_1m
    WHERE transaction IN {names:Array(String)} AND version IN {versions:Array(String)}
        AND minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')} GROUP BY minute, name, version) AS counted
ON wanted.minute = counted.minute AND wanted.name = counted.name AND wanted.version = counted.version
WHERE wanted.calls != counted.seen AND (wanted.minute >= {kept:DateTime('UTC')} OR wanted.expiring = 0)
ORDER BY minute, name
"""
COUNT_WRITTEN = (
    "SELECT toInt64(count()) AS rows FROM transactions_1m WHERE minute >= {start:DateTime('UTC')} AND seq = {seq:UInt64}"
)
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
_MINUTE = "toStartOfMinute(toDateTime(t.ts, 'UTC'))"
_SCHEMA = pa.schema(
    [*(pa.field(name, pa.string()) for name in ("name", "version", "definition")), pa.field("at", TS_TYPE), *EVENT_FIELDS]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    """A version of a definition that was counted, and when it came into force last."""

    name: str
    version: str
    definition: Transaction
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    version: str
    definition: str
    at: datetime


def write_definitions(store: Store, transactions: Sequence[Transaction], at: datetime, epoch: int) -> None:
    """Note that these definitions are in force from now on."""
    rows = [_Row(name=one.name, version=one.version, definition=one.to_json(), at=at) for one in transactions]
    if rows:
        store.insert("transaction_definitions", events_table(_SCHEMA, rows, epoch))


def read_definitions(store: Store, name: str = "") -> list[StoredDefinition]:
    """Every version that was counted, of one name or all; of each name the one in force first."""
    return [
        StoredDefinition(
            name=row["name"],
            version=row["version"],
            definition=Transaction.from_json(row["definition"]),
            at=moment(row["at"]),
        )
        for row in store.arrow(DEFINITIONS, {"name": name}).to_pylist()
    ]


def stale_minutes(
    store: Store, transactions: Sequence[Transaction], start: datetime, end: datetime, kept: datetime
) -> list[tuple[datetime, str, int]]:
    """Minutes of the span to be counted, or counted again, in order: each with the name of a transaction and all its calls.

    `kept` is the instant from which on retention has left all single calls.
    """
    params: dict[str, Value] = {
        "names": [one.name for one in transactions],
        "versions": [one.version for one in transactions],
        "start": start,
        "end": end,
        "kept": kept,
    }
    rows = store.arrow(STALE_MINUTES, params).to_pylist()
    return [(moment(row["minute"]), str(row["name"]), int(row["calls"])) for row in rows]


def count_transactions(store: Store, transactions: Sequence[Transaction], start: datetime, end: datetime, epoch: int) -> int:
    """Count whole minutes [start, end) anew, all transactions in one pass over the calls; returns how many rows were written.

    What the minutes had before is replaced, so that a repeat changes nothing. Minutes of which the rollups know more calls than
    are kept are left as they are.
    """
    if not transactions:
        return 0
    seq = next_seq()
    sql, params = _count_sql(transactions)
    span: dict[str, Value] = {"start": start, "end": end}
    store.command(sql, {**params, **span, "epoch": epoch, "seq": seq})
    return int(store.arrow(COUNT_WRITTEN, {"start": start, "seq": seq}).column("rows")[0].as_py())


def _count_sql(transactions: Sequence[Transaction]) -> tuple[str, Params]:
    """One pass over the calls: a verdict per call and transaction, summed by minute, spread to one row a transaction."""
    params: dict[str, Value] = {
        "names": [one.name for one in transactions],
        "versions": [one.version for one in transactions],
    }
    verdicts, sums = [], []
    for number, one in enumerate(transactions):
        condition, verdict, bound = verdict_of(one, f"t{number}")
        params |= bound
        verdicts += [f"{condition} AS mine{number}", f"{verdict} AS verdict{number}"]
        sums.append(_sums(one, number))
    columns = [f"[{', '.join(part[name] for part in sums)}] AS {name}_of" for name in sums[0]]
    spread = ", ".join(f"{name}_of AS {name}" for name in sums[0])
    made = ", ".join(sums[0])
    sql = f"""
    INSERT INTO transactions_1m (transaction, version, minute, seen, {made}, epoch, seq)
    SELECT name, name_version, made.minute_at, made.kept, {made}, {{epoch:UInt64}}, {{seq:UInt64}}
    FROM (SELECT minute_at, count() AS kept, {", ".join(columns)}
        FROM (SELECT {_MINUTE} AS minute_at, t.latency_ms AS latency, {IS_RATE_LIMITED} AS limited, {", ".join(verdicts)}
            FROM calls AS t WHERE {_SPAN})
        GROUP BY minute_at) AS made
    LEFT JOIN (SELECT minute AS minute_at, sum(calls) AS counted FROM route_1m
        WHERE minute >= {{start:DateTime('UTC')}} AND minute < {{end:DateTime('UTC')}} GROUP BY minute_at) AS rolled
    ON made.minute_at = rolled.minute_at
    ARRAY JOIN {{names:Array(String)}} AS name, {{versions:Array(String)}} AS name_version, {spread}
    WHERE made.kept >= rolled.counted"""
    return sql, params


def _sums(one: Transaction, number: int) -> dict[str, str]:
    mine, verdict = f"mine{number}", f"verdict{number}"
    under = [f"countIf({mine} AND {verdict} = 1 AND toFloat64(latency) <= {limit!r})" for limit in one.thresholds_ms]
    return {
        "total": f"countIf({mine})",
        "known": f"countIf({mine} AND {verdict} >= 0)",
        "good": f"countIf({mine} AND {verdict} = 1)",
        "rate_limited": f"countIf({mine} AND limited)",
        "timed": f"countIf({mine} AND ({verdict} = 0 OR ({verdict} = 1 AND latency IS NOT NULL)))",
        "good_under": f"[{', '.join(under)}]" if under else "emptyArrayUInt64()",
        "latency_known": f"countIf({mine} AND latency IS NOT NULL)",
        "latency_ms_sum": f"sumIf(toFloat64(ifNull(latency, 0)), {mine})",
        "latency_q": f"quantilesBFloat16StateIf({QUANTILE_LEVELS_SQL})(assumeNotNull(latency), {mine} AND latency IS NOT NULL)",
    }


def verdict_of(one: Transaction, prefix: str) -> tuple[str, str, dict[str, Value]]:
    """Whether a call belongs to it, its verdict (1 good, 0 bad, -1 unknown), and the values that both bind.

    What is known to be bad is bad, whatever else is unknown.
    """
    check_dimensions(name for name, _ in one.selector)
    params: dict[str, Value] = {}
    parts = []
    for name, patterns in one.selector:
        exact = [pattern for pattern in patterns if not is_wild(pattern)]
        alternatives = []
        if exact:
            alternatives.append(f"has({{{prefix}_{name}:Array(String)}}, toString(t.{name}))")
            params[f"{prefix}_{name}"] = exact
        for place, pattern in enumerate(pattern for pattern in patterns if is_wild(pattern)):
            alternatives.append(f"t.{name} LIKE {{{prefix}_{name}_{place}:String}}")
            params[f"{prefix}_{name}_{place}"] = _like(pattern)
        parts.append(f"({' OR '.join(alternatives)})")
    statuses = " OR ".join(f"t.status BETWEEN {first:d} AND {last:d}" for first, last in one.statuses)
    bad = [f"(t.status IS NOT NULL AND NOT ({statuses}))", f"NOT has({{{prefix}_types:Array(String)}}, toString(t.error_type))"]
    params[f"{prefix}_types"] = ["", *one.error_types]
    unknown = ["(t.status IS NULL AND t.error_type = '')"]
    if one.max_latency_ms is not None:
        bad.append(f"(t.latency_ms IS NOT NULL AND toFloat64(t.latency_ms) > {one.max_latency_ms!r})")
        unknown.append("t.latency_ms IS NULL")
    verdict = f"multiIf({_either(bad)}, 0, {_either(unknown)}, -1, 1)"
    return " AND ".join(parts) or "true", verdict, params


def _either(conditions: list[str]) -> str:
    """A condition that is never NULL."""
    return f"ifNull({' OR '.join(conditions)}, false)"


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
