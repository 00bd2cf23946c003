"""Changes and their verdicts in the store, and what the calls themselves show of changes."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from core.changes import Change, ChangeKind, ChangeVerdict, found_id
from core.record import TS_TYPE
from core.series import Selector
from storage.contract import Store, Value
from storage.frames import EVENT_FIELDS, events_table, items_table, moment
from storage.sequence import next_seq

LATEST = """
SELECT id, at, kind, what, selector, who, found, made_at FROM (
    SELECT id, at, kind, what, selector, who, found, made_at FROM changes
    WHERE empty({id:String}) OR id = {id:String}
    ORDER BY id, seq DESC LIMIT 1 BY id)
WHERE at >= {start:DateTime64(3, 'UTC')} AND at < {end:DateTime64(3, 'UTC')}
ORDER BY at DESC, id LIMIT {most:UInt64}
"""
VERDICTS = """
SELECT change_id, transaction, selector, judged_at, before_from, after_to, outcome, reasons, report FROM change_verdicts
WHERE has({ids:Array(String)}, change_id)
ORDER BY change_id, transaction, epoch DESC, seq DESC LIMIT 1 BY change_id, transaction
"""
# A model is new where it has calls now and had none in the time that is looked back over, in which there were others.
NEW_MODELS = """
SELECT provider, model, min(minute) AS first, toInt64(sum(calls)) AS count FROM model_1m
WHERE minute >= {back:DateTime('UTC')} AND minute < {end:DateTime('UTC')} AND model NOT IN ('', '__other__')
GROUP BY provider, model
HAVING first >= {start:DateTime('UTC')} AND count >= {least:UInt64}
    AND (SELECT min(minute) FROM model_1m WHERE minute >= {back:DateTime('UTC')}) < {start:DateTime('UTC')}
ORDER BY first, provider, model
"""
# Every label in one reading of the calls; a value counts as new where it was not there shortly before.
NEW_LABELS = """
SELECT service, label, value, minIf(ts, ts >= {start:DateTime64(3, 'UTC')}) AS first,
    toInt64(countIf(ts >= {start:DateTime64(3, 'UTC')})) AS count
FROM (
    SELECT t.ts AS ts, t.service AS service, t.attributes[label] AS value,
        arrayJoin(arrayFilter(name -> mapContains(t.attributes, name), {labels:Array(String)})) AS label
    FROM calls AS t
    WHERE t.ts >= {back:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')} AND notEmpty(t.attributes))
WHERE value != ''
GROUP BY service, label, value
HAVING count >= {least:UInt64} AND countIf(ts < {start:DateTime64(3, 'UTC')}) = 0
ORDER BY first, service, value
"""
LABELLED_BEFORE = """
SELECT toInt64(count()) AS calls, toInt64(countIf(value = {value:String})) AS same FROM (
    SELECT t.attributes[{label:String}] AS value FROM calls AS t
    WHERE t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')} AND t.service = {service:String}
        AND mapContains(t.attributes, {label:String}))
"""
_CHANGE = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("kind", "what", "selector", "who")),
        pa.field("found", pa.bool_()),
        pa.field("made_at", TS_TYPE),
        pa.field("seq", pa.uint64()),
    ]
)
_VERDICT = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("change_id", "transaction", "selector")),
        *(pa.field(name, TS_TYPE) for name in ("judged_at", "before_from", "after_to")),
        pa.field("outcome", pa.string()),
        pa.field("reasons", pa.list_(pa.string())),
        pa.field("report", pa.string()),
        *EVENT_FIELDS,
    ]
)
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
_MOST = 1000
_LEAST_CALLS = 20


def new_change_id() -> str:
    """Short enough to be typed, drawn so that two never meet."""
    return secrets.token_hex(4)


def write_changes(store: Store, changes: Sequence[Change]) -> None:
    """Note changes; of two with one id the later holds."""
    if changes:
        first = next_seq(len(changes))
        made: dict[str, Sequence[object]] = {
            "kind": [str(one.kind) for one in changes],
            "selector": [str(one.selector) for one in changes],
            "seq": list(range(first, first + len(changes))),
        }
        store.insert("changes", items_table(_CHANGE, changes, **made))


def read_changes(
    store: Store, start: datetime | None = None, end: datetime | None = None, *, change_id: str = "", most: int = _MOST
) -> list[Change]:
    """Changes in [start, end), newest first, at most `most`; by `change_id` that one alone."""
    params: dict[str, Value] = {"id": change_id, "start": start or _EVER[0], "end": end or _EVER[1], "most": most}
    return [_change(row) for row in store.arrow(LATEST, params).to_pylist()]


def write_verdicts(store: Store, verdicts: Sequence[ChangeVerdict], epoch: int) -> None:
    if verdicts:
        made: dict[str, Sequence[object]] = {
            "selector": [str(one.selector) for one in verdicts],
            "reasons": [list(one.reasons) for one in verdicts],
        }
        store.insert("change_verdicts", events_table(_VERDICT, verdicts, epoch, **made))


def read_verdicts(store: Store, change_ids: Sequence[str]) -> list[ChangeVerdict]:
    """The verdicts on these changes, by change and transaction."""
    rows = store.arrow(VERDICTS, {"ids": list(change_ids)}).to_pylist() if change_ids else []
    return [
        ChangeVerdict(
            change_id=row["change_id"],
            transaction=row["transaction"],
            outcome=row["outcome"],
            report=row["report"],
            judged_at=moment(row["judged_at"]),
            before_from=moment(row["before_from"]),
            after_to=moment(row["after_to"]),
            selector=Selector.parse(row["selector"]),
            reasons=tuple(row["reasons"]),
        )
        for row in rows
    ]


def changed_models(store: Store, back: datetime, start: datetime, end: datetime) -> list[Change]:
    """Models that have their first calls in [start, end), with none since `back`; none before there was any other model."""
    rows = store.arrow(NEW_MODELS, {"back": back, "start": start, "end": end, "least": _LEAST_CALLS}).to_pylist()
    return [
        _found(ChangeKind.MODEL, f"{row['model']} answers", Selector.of(_known(row, "provider", "model")), row["first"], end)
        for row in rows
    ]


def changed_labels(
    store: Store, labels: Sequence[str], back: datetime, shortly: datetime, start: datetime, end: datetime
) -> list[Change]:
    """Values of labels of the calls that are new for their service in [start, end), and were not there since `back`.

    Calls since `shortly` are read for all services, those since `back` only where something seems to be new.
    """
    if not labels:
        return []
    params: dict[str, Value] = {"labels": list(labels), "back": shortly, "start": start, "end": end, "least": _LEAST_CALLS}
    changes = []
    for row in store.arrow(NEW_LABELS, params).to_pylist():
        asked = {name: row[name] for name in ("label", "value", "service")} | {"start": back, "end": start}
        before = store.arrow(LABELLED_BEFORE, asked).to_pylist()[0]
        if before["calls"] and not before["same"]:
            selector = Selector.of(_known(row, "service"))
            changes.append(_found(ChangeKind.DEPLOY, f"{row['label']} {row['value']}", selector, row["first"], end))
    return changes


def _found(kind: ChangeKind, what: str, selector: Selector, at: datetime, now: datetime) -> Change:
    first = moment(at)
    made = found_id(kind, what, selector, first)
    return Change(id=made, at=first, kind=kind, what=what, selector=selector, who="", found=True, made_at=now)


def _known(row: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: row[name] for name in names if row[name]}


def _change(row: dict[str, Any]) -> Change:
    return Change(
        id=row["id"],
        at=moment(row["at"]),
        kind=ChangeKind(row["kind"]),
        what=row["what"],
        selector=Selector.parse(row["selector"]),
        who=row["who"],
        found=bool(row["found"]),
        made_at=moment(row["made_at"]),
    )
