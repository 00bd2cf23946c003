"""Faults that a rehearsal puts into a copy of real calls: what gateways' operators are woken for. Pure.

A fault changes only the calls that it matches and the time that it lasts; the rest of the history stays as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]


class FaultKind(StrEnum):
    DROP = "drop"
    SURGE = "surge"
    CREEP = "creep"
    TENANT_BURST = "one-tenant burst"
    BROWN_OUT = "provider brown-out"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kind of fault does.

    Attributes
    ----------
    dimensions : tuple of str
        What it falls on: the first of these by which the history tells calls apart.
    lasts : timedelta
    magnitude : float
        Share of calls that is lost (drop, silence) or fails (brown-out); factor of calls (surge, burst) or latency (creep).
    """

    dimensions: tuple[str, ...]
    lasts: timedelta
    magnitude: float


SHAPES: Mapping[FaultKind, Shape] = {
    FaultKind.DROP: Shape(dimensions=("service", "gateway"), lasts=timedelta(minutes=30), magnitude=0.7),
    FaultKind.SURGE: Shape(dimensions=("service", "gateway"), lasts=timedelta(minutes=30), magnitude=3.0),
    FaultKind.CREEP: Shape(dimensions=("route", "service"), lasts=timedelta(minutes=90), magnitude=4.0),
    FaultKind.TENANT_BURST: Shape(dimensions=("tenant",), lasts=timedelta(minutes=30), magnitude=8.0),
    FaultKind.BROWN_OUT: Shape(dimensions=("provider", "upstream", "service"), lasts=timedelta(minutes=30), magnitude=0.4),
    FaultKind.SILENCE: Shape(dimensions=("route", "service"), lasts=timedelta(minutes=30), magnitude=1.0),
}

_SLOWER = 2.0
"""A browned-out provider is slow as well."""

_LATENCIES = ("latency_ms", "upstream_ms", "first_byte_ms", "ttft_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, half open in time, on the calls whose `dimension` is `value`."""

    kind: FaultKind
    start: datetime
    dimension: str
    value: str

    @property
    def end(self) -> datetime:
        return self.start + SHAPES[self.kind].lasts


def inject(calls: pa.Table, fault: Fault, rng: np.random.Generator) -> pa.Table:
    """The calls (`CALL_SCHEMA`) as they would have been with the fault; those that it adds keep the identity of the copied."""
    times = calls.column("ts").cast(pa.int64()).to_numpy() / 1000.0
    hit = (times >= fault.start.timestamp()) & (times < fault.end.timestamp())
    hit &= np.asarray(calls.column(fault.dimension).to_numpy(zero_copy_only=False) == fault.value)
    magnitude = SHAPES[fault.kind].magnitude
    if fault.kind in (FaultKind.DROP, FaultKind.SILENCE):
        return calls.filter(pa.array(~(hit & (rng.random(len(hit)) < magnitude))))
    if fault.kind in (FaultKind.SURGE, FaultKind.TENANT_BURST):
        return _more(calls, hit, magnitude, rng)
    if fault.kind is FaultKind.CREEP:
        progress = (times - fault.start.timestamp()) / SHAPES[fault.kind].lasts.total_seconds()
        return _slower(calls, np.where(hit, 1.0 + (magnitude - 1.0) * np.minimum(progress * 1.4, 1.0), 1.0))
    return _browned_out(calls, hit, hit & (rng.random(len(hit)) < magnitude))


def _more(calls: pa.Table, hit: Mask, factor: float, rng: np.random.Generator) -> pa.Table:
    """Copies of the calls that are hit, within half a minute of the originals, so that a surge is no row of equal instants."""
    ours = np.repeat(np.flatnonzero(hit), int(factor) - 1)
    more = calls.take(pa.array(ours))
    shifted = more.column("ts").cast(pa.int64()).to_numpy() + rng.integers(-30_000, 30_000, len(ours))
    more = _with(more, "ts", pa.array(shifted).cast(calls.schema.field("ts").type))
    return pa.concat_tables([calls, more])


def _slower(calls: pa.Table, factor: npt.NDArray[np.float64]) -> pa.Table:
    for name in _LATENCIES:
        column = calls.column(name)
        slowed = column.to_numpy(zero_copy_only=False).astype(np.float64) * factor
        calls = _with(calls, name, pa.array(slowed, from_pandas=True).cast(column.type))
    return calls


def _browned_out(calls: pa.Table, hit: Mask, failing: Mask) -> pa.Table:
    calls = _slower(calls, np.where(hit, _SLOWER, 1.0))
    status = calls.column("status").to_pandas().astype("float64").to_numpy(copy=True)
    status[failing] = 503
    errors = np.where(failing, "upstream", calls.column("error_type").to_numpy(zero_copy_only=False).astype(object))
    calls = _with(calls, "status", pa.array(status, from_pandas=True).cast(calls.schema.field("status").type))
    return _with(calls, "error_type", pa.array(errors.tolist()).cast(calls.schema.field("error_type").type))


def _with(calls: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return calls.set_column(calls.schema.get_field_index(name), calls.schema.field(name), values)
