"""Counters of transactions as series: steps of minutes or hours, with what is zero, unknown and not counted yet kept apart."""

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from core.errors import VersionsDiffer
from core.series import METRICS, Selector
from core.transactions import TRANSACTION_METRICS as TRANSACTION_METRICS
from core.transactions import Transaction, check_comparable
from storage.contract import Params, Store, Value
from storage.data_span import MAX_POINTS, data_span
from storage.frames import Ints, at_epoch_s, epoch_s, times_of
from storage.rollups import QUANTILE_LEVELS_SQL, Floats
from storage.selection import matching
from storage.transactions import read_definitions, verdict_of

COUNTS: tuple[str, ...] = ("seen", "total", "known", "good", "rate_limited", "timed")
PERCENTILES: tuple[str, ...] = ("latency_p50", "latency_p90", "latency_p95", "latency_p99")
MINUTE_S = 60

_SPAN = "{{time}} >= {start:DateTime('UTC')} AND {{time}} < {end:DateTime('UTC')}".replace("{{time}}", "minute")
_STEP = "intDiv(toInt64(toUnixTimestamp(minute)), {step:Int64}) * {step:Int64}"
SUMS = f"""{", ".join(f"toInt64(sum(t.{name})) AS {name}" for name in COUNTS)},
    toInt64(sum(t.latency_known)) AS latency_known, sum(t.latency_ms_sum) AS latency_ms_sum,
    sumForEach(t.good_under) AS good_under, quantilesBFloat16Merge({QUANTILE_LEVELS_SQL})(t.latency_q) AS latency_q"""
"""What rows of one version (alias `t`) add up to."""
COUNTED = f"""
SELECT {_STEP} AS step_at, {SUMS}
FROM transactions_1m AS t FINAL
WHERE t.transaction = {{name:String}} AND t.version = {{version:String}} AND {_SPAN}
GROUP BY step_at ORDER BY step_at
"""
ROLLED = f"SELECT {_STEP} AS step_at, toInt64(sum(calls)) AS calls FROM route_1m WHERE {_SPAN} GROUP BY step_at"
FIRST_COUNTED = """
SELECT toInt64(count()) AS rows, min(minute) AS first FROM transactions_1m
WHERE transaction = {name:String} AND version = {version:String}
"""


def read_counts(store: Store, transaction: Transaction, start: datetime, end: datetime, step_s: int = MINUTE_S) -> pd.DataFrame:
    """The counters of one version by step, only steps with a counted minute.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`), `seen` (all calls there were), `total`, `known`, `good`, `rate_limited`,
    `timed`, `latency_known` (`int64`), `latency_ms_sum`, `latency_p50` to `latency_p99` (`float64`, NaN where unknown) and an
    `int64` column `good_under_{ms}ms` per threshold of the definition, sorted by `ts`.

    Raises ValueError for a step that is no whole number of minutes.
    """
    rows = _rows(store, transaction, start, end, step_s)
    frame = pd.DataFrame({"ts": times_of(rows["step_at"])})
    for name in (*COUNTS, "latency_known", *_under(transaction)):
        frame[name] = rows[name].to_numpy("int64")
    for name in ("latency_ms_sum", *PERCENTILES):
        frame[name] = rows[name].to_numpy("float64")
    return frame


def read_transaction_series(
    store: Store, transaction: Transaction, metric: str, start: datetime, end: datetime, step_s: int = MINUTE_S
) -> pd.DataFrame:
    """One metric of one transaction at every step of the span.

    Returns
    -------
    DataFrame with `ts`, `value` (the metric's unit; NaN: unknown), `calls` (`int64`, the volume), `weight` (`float64`, calls
    times the definition's weight) and `counted` (bool: False where calls arrived that no counter has yet, and outside of the
    data). A step without a call of the transaction is 0 for rates and NaN for levels where it is counted.

    Raises ValueError for a metric that transactions have not.
    """
    check_metric(metric)
    rows = _rows(store, transaction, start, end, step_s).set_index("step_at")
    first_s, end_s = epoch_s(start) // step_s * step_s, epoch_s(end) + (end.microsecond > 0)
    steps: Ints = np.arange(first_s, max(end_s, first_s), step_s, dtype=np.int64)
    if len(steps) > MAX_POINTS:
        raise ValueError(f"{len(steps)} points are too many; ask for longer steps or a shorter span")
    dense = rows.reindex(steps)
    total = dense["total"].fillna(0).to_numpy("int64")
    counted = _counted(store, transaction, dense["seen"].fillna(0).to_numpy("int64"), steps, step_s)
    value = values_of(dense, metric, step_s)
    if METRICS[metric].zero_when_idle:
        value = np.where(total == 0, 0.0, value)
    return pd.DataFrame(
        {
            "ts": times_of(steps),
            "value": np.where(counted, value, np.nan),
            "calls": total,
            "weight": total * transaction.weight,
            "counted": counted,
        }
    )


def check_metric(metric: str) -> None:
    """Raises ValueError for a metric that transactions have not."""
    if metric not in TRANSACTION_METRICS:
        raise ValueError(f"{metric!r} is no metric of a transaction; choose from {', '.join(TRANSACTION_METRICS)}")


def selected(store: Store, selector: Selector) -> Transaction:
    """The definition of a selection that is a transaction; raises ValueError for a version that was never counted here."""
    found = definition_of(store, selector.transaction, selector.version)
    if found is None:
        raise ValueError(f"{selector.words} was never counted here")
    return found


def calls_matching(store: Store, selector: Selector) -> tuple[str, Params]:
    """As `storage.selection.matching`, over the single calls (alias `t`), for selections that are transactions as well."""
    if not selector.transaction:
        return matching(selector, "t")
    condition, _, params = verdict_of(selected(store, selector), "t0")
    return f" AND ({condition})", params


def definition_of(store: Store, name: str, version: str = "") -> Transaction | None:
    """A definition that was counted: of that version, by default the one in force; None where there is none."""
    for stored in read_definitions(store, name):
        if version in ("", stored.version):
            return stored.definition
    return None


def refuse_other_version(store: Store, name: str, one: str, other: str) -> None:
    """Raises VersionsDiffer where two sets of numbers of a transaction come from different versions, with what differs."""
    if one == other:
        return
    first, second = definition_of(store, name, one or "-"), definition_of(store, name, other or "-")
    if first is not None and second is not None:
        check_comparable(first, second)
    raise VersionsDiffer(name, one, other, "one of the definitions is not known here")


def _rows(store: Store, transaction: Transaction, start: datetime, end: datetime, step_s: int) -> pd.DataFrame:
    if step_s < MINUTE_S or step_s % MINUTE_S:
        raise ValueError(f"a step of {step_s} s is no whole number of minutes")
    table = store.arrow(
        COUNTED,
        {
            "name": transaction.name,
            "version": transaction.version,
            "step": step_s,
            "start": at_epoch_s(epoch_s(start) // step_s * step_s),
            "end": end,
        },
    )
    return unpacked(table, transaction)


def unpacked(table: pa.Table, transaction: Transaction | None) -> pd.DataFrame:
    """Rows with the columns of `SUMS`, a column for each percentile, and for each of the thresholds, instead of lists."""
    rows: pd.DataFrame = table.drop_columns(["good_under", "latency_q"]).to_pandas()
    quantiles = table.column("latency_q").to_pylist()
    if transaction is not None:
        under = table.column("good_under").to_pylist()
        for place, name in enumerate(_under(transaction)):
            rows[name] = np.array([one[place] for one in under], dtype=np.int64)
    for place, name in enumerate(PERCENTILES):
        rows[name] = np.array([one[place] for one in quantiles], dtype=np.float64)
    return rows


def _under(transaction: Transaction) -> list[str]:
    return [f"good_under_{limit:g}ms" for limit in transaction.thresholds_ms]


def values_of(dense: pd.DataFrame, metric: str, step_s: int) -> Floats:
    """A metric of each row of sums over `step_s`, NaN where unknown."""
    needed = (*COUNTS, "latency_known", "latency_ms_sum", *PERCENTILES)
    columns = {name: dense[name].to_numpy("float64") for name in needed}
    match metric:
        case "tps":
            return columns["total"] / step_s
        case "error_rate":
            return _share(columns["known"] - columns["good"], columns["known"])
        case "rate_limited_rate":
            return _share(columns["rate_limited"], columns["total"])
        case "concurrency":  # Little's law; calls of unknown latency count with the mean of the known ones
            return _share(columns["latency_ms_sum"] * columns["total"], columns["latency_known"]) / 1000 / step_s
        case _:
            return columns[metric]


def _share(top: Floats, bottom: Floats) -> Floats:
    out = np.full(len(top), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def _counted(store: Store, transaction: Transaction, seen: Ints, steps: Ints, step_s: int) -> np.ndarray:
    """Steps that lie in the data and of whose calls all were counted."""
    params: dict[str, Value] = {"step": step_s, "start": at_epoch_s(int(steps[0])) if len(steps) else at_epoch_s(0)}
    params["end"] = at_epoch_s(int(steps[-1]) + step_s) if len(steps) else at_epoch_s(0)
    rolled = store.frame(ROLLED, params).set_index("step_at")["calls"].reindex(steps).fillna(0).to_numpy("int64")
    span = data_span(store)
    first = store.arrow(FIRST_COUNTED, {"name": transaction.name, "version": transaction.version}).to_pylist()[0]
    if span is None and not first["rows"]:
        return np.zeros(len(steps), dtype=bool)
    begins = min([epoch_s(span[0])] if span else [], default=2**62)
    if first["rows"]:
        begins = min(begins, epoch_s(first["first"]))
    ends = epoch_s(span[1]) + MINUTE_S if span else 2**62
    return np.asarray((seen >= rolled) & (steps + step_s > begins) & (steps < ends))
