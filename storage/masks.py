"""Masks: what people said of spans of time. Appended, never changed in place; the anomalies they speak of are labelled anew."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from core.masks import Mask, MaskKind, labelled
from core.record import TS_TYPE
from core.series import Selector
from core.types import Anomaly
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store, Value
from storage.frames import items_table, moment, moment_or_none
from storage.sequence import next_seq

LATEST = """
SELECT id, kind, starts_at, ends_at, selector, who, why, made_at, anomaly_id FROM (
    SELECT id, kind, starts_at, ends_at, selector, who, why, made_at, anomaly_id FROM masks
    WHERE empty({id:String}) OR id = {id:String}
    ORDER BY id, seq DESC LIMIT 1 BY id)
WHERE starts_at < {end:DateTime64(3, 'UTC')} AND (ends_at IS NULL OR ends_at > {start:DateTime64(3, 'UTC')})
ORDER BY starts_at DESC, id
"""
ANOMALY = """
SELECT started_at, last_at FROM anomalies WHERE id = {id:String} ORDER BY epoch DESC, seq DESC LIMIT 1
"""
HIGHEST_EPOCH = "SELECT toUInt64(max(epoch)) AS epoch FROM anomalies"
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "kind")),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at")),
        *(pa.field(name, pa.string()) for name in ("selector", "who", "why")),
        pa.field("made_at", TS_TYPE),
        pa.field("anomaly_id", pa.string()),
        pa.field("seq", pa.uint64()),
    ]
)
_MINUTE = timedelta(minutes=1)
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def new_mask_id() -> str:
    """Short enough to be typed, drawn so that two never meet."""
    return secrets.token_hex(4)


def add_mask(store: Store, mask: Mask) -> list[Anomaly]:
    """Write a mask, new or in a later form, and label the anomalies of its time; returns those that now name it.

    Raises ValueError for an end that is not after the start.
    """
    if mask.end is not None and mask.end <= mask.start:
        raise ValueError(f"the end, {mask.end.isoformat()}, must lie after the start, {mask.start.isoformat()}")
    _write(store, mask)
    return [one for one in _label(store, mask.start, mask.until) if one.mask_id == mask.id]


def end_mask(store: Store, mask_id: str, at: datetime) -> Mask | None:
    """Let a mask end at `at`, at its start at the earliest: then it never was. Returns its new form; None: there is none."""
    found = read_masks(store, mask_id=mask_id)
    if not found:
        return None
    before = found[0]
    ended = replace(before, end=max(at, before.start))
    _write(store, ended)
    _label(store, before.start, before.until)
    return ended


def read_masks(store: Store, start: datetime | None = None, end: datetime | None = None, *, mask_id: str = "") -> list[Mask]:
    """Masks that touch the span [start, end), in their latest form, newest start first; by `mask_id` that one alone."""
    params: dict[str, Value] = {"id": mask_id, "start": start or _EVER[0], "end": end or _EVER[1]}
    return [_mask(row) for row in store.arrow(LATEST, params).to_pylist()]


def anomaly_by_id(store: Store, anomaly_id: str) -> Anomaly | None:
    """The latest state of one anomaly; None where there is none."""
    rows = store.arrow(ANOMALY, {"id": anomaly_id}).to_pylist()
    if not rows:
        return None
    started, last = moment(rows[0]["started_at"]), moment(rows[0]["last_at"])
    found = read_anomalies(store, started - _MINUTE, last + _MINUTE)
    return next((one for one in found if one.id == anomaly_id), None)


def _label(store: Store, start: datetime, end: datetime) -> list[Anomaly]:
    """Label the anomalies of a span by the masks there are; writes those that change and returns all."""
    before = read_anomalies(store, start, end)
    if not before:
        return []
    first = min(one.started_at for one in before)
    last = max(one.last_at for one in before) + _MINUTE
    after = labelled(before, read_masks(store, first, last))
    changed = [now for now, then in zip(after, before, strict=True) if now != then]
    if changed:
        epoch = int(store.arrow(HIGHEST_EPOCH).column("epoch")[0].as_py())
        write_anomalies(store, changed, epoch)
    return after


def _write(store: Store, mask: Mask) -> None:
    made: dict[str, Sequence[object]] = {
        "kind": [str(mask.kind)],
        "starts_at": [mask.start],
        "ends_at": [mask.end],
        "selector": [str(mask.selector)],
        "seq": [next_seq()],
    }
    store.insert("masks", items_table(_SCHEMA, [mask], **made))


def _mask(row: dict[str, Any]) -> Mask:
    return Mask(
        id=row["id"],
        kind=MaskKind(row["kind"]),
        start=moment(row["starts_at"]),
        end=moment_or_none(row["ends_at"]),
        selector=Selector.parse(row["selector"]),
        who=row["who"],
        why=row["why"],
        made_at=moment(row["made_at"]),
        anomaly_id=row["anomaly_id"],
    )
