"""Anomalies: written again each time that they grow or end, read in their latest state."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from core.record import TS_TYPE
from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly, Contribution
from storage.anomaly_details import details_json, details_of
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none
from storage.selection import within

_COLUMNS = """id, started_at, last_at, ended_at, selector, metric, direction, score, severity, observed, expected, lower, upper,
    contributions, explanation, model_version, baseline_version, mask_id, muted, details"""
LATEST_ANOMALIES = f"""
SELECT {_COLUMNS}
FROM (
    SELECT {_COLUMNS} FROM anomalies WHERE started_at < {{end:DateTime64(3, 'UTC')}}
    ORDER BY epoch DESC, seq DESC LIMIT 1 BY id
)
WHERE (ended_at IS NULL OR (ended_at > {{start:DateTime64(3, 'UTC')}} AND NOT {{open_only:Bool}}))
"""
NEWEST_FIRST = " ORDER BY started_at DESC, severity DESC, id"
_NUMBERS = ("score", "severity", "observed", "expected", "lower", "upper")
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        *(pa.field(name, TS_TYPE) for name in ("started_at", "last_at", "ended_at")),
        *(pa.field(name, pa.string()) for name in ("selector", "metric", "direction")),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
        *(pa.field(name, pa.string()) for name in ("contributions", "explanation", "model_version", "baseline_version")),
        pa.field("mask_id", pa.string()),
        pa.field("muted", pa.bool_()),
        pa.field("details", pa.string()),
        *EVENT_FIELDS,
    ]
)


def write_anomalies(store: Store, anomalies: Sequence[Anomaly], epoch: int) -> None:
    """Append the present state of each; of two states of one id in the list the later holds."""
    if not anomalies:
        return
    selectors = [str(anomaly.selector) for anomaly in anomalies]
    contributions = [_contributions_json(anomaly.contributions) for anomaly in anomalies]
    details = [details_json(anomaly) for anomaly in anomalies]
    table = events_table(_SCHEMA, anomalies, epoch, selector=selectors, contributions=contributions, details=details)
    store.insert("anomalies", table)


def read_anomalies(
    store: Store, start: datetime, end: datetime, selector: Selector | None = None, open_only: bool = False
) -> list[Anomaly]:
    """Anomalies that lasted at some time of the span (open ones last still), in their latest state, newest first.

    With a `selector` only those whose leading series lies within it (`service="chat"` has `model="m",service="chat"`).
    """
    wanted, labels = within(selector or ALL_CALLS)
    params = {"start": start, "end": end, "open_only": open_only, **labels}
    return [_anomaly(row) for row in store.arrow(LATEST_ANOMALIES + wanted + NEWEST_FIRST, params).to_pylist()]


def _anomaly(row: dict[str, Any]) -> Anomaly:
    details = row.pop("details")
    return Anomaly(
        **{
            **row,
            **details_of(details),
            "started_at": moment(row["started_at"]),
            "last_at": moment(row["last_at"]),
            "ended_at": moment_or_none(row["ended_at"]),
            "selector": Selector.parse(row["selector"]),
            "direction": Direction(row["direction"]),
            "contributions": tuple(_contribution(part) for part in orjson.loads(row["contributions"])),
        }
    )


def _contributions_json(contributions: Sequence[Contribution]) -> str:
    parts = [
        {
            "selector": str(part.selector),
            "metric": part.metric,
            "observed": part.observed,
            "expected": part.expected,
            "lower": part.lower,
            "upper": part.upper,
            "share": part.share,
        }
        for part in contributions
    ]
    return orjson.dumps(parts, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _contribution(part: dict[str, Any]) -> Contribution:
    numbers = {name: _number(part[name]) for name in ("observed", "expected", "lower", "upper", "share")}
    return Contribution(selector=Selector.parse(part["selector"]), metric=part["metric"], **numbers)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)  # JSON has no NaN; orjson writes null
