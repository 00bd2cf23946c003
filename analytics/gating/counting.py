"""Single calls to a mix, some at a time: for files, whose calls are in no store. Pure.

The store counts its own (`storage/mixes.py`). Counts what the store counts, by the same rules: see `storage.rollups` for what
an error is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.mixes import BLOCKS, UNKNOWN_SIZE, CallMix, Floats, Histogram, Ints, Stratum
from core.prices import TOKEN_CLASSES, PriceTable
from core.series import ALL_CALLS, Selector

_KEY = ("service", "method", "route")
_CUT = np.uint32(0xFFFF8000)
_MIDDLE = 1.0 + 2.0**-9
"""Eight bits behind the first are kept, as `storage.mixes` keeps them: half a step is 0.2 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallColumns:
    """What is held of some calls; arrays of shape (n_calls,), NaN is unknown.

    Attributes
    ----------
    at_ms : ndarray
        Milliseconds since 1970.
    stratum : ndarray
        Place in the strata of whoever made it.
    known, errors, rate_limited : ndarray of bool
    """

    at_ms: Ints
    stratum: Ints
    known: npt.NDArray[np.bool_]
    errors: npt.NDArray[np.bool_]
    rate_limited: npt.NDArray[np.bool_]
    latency_ms: Floats
    ttft_ms: Floats
    cost_usd: Floats


@dataclass
class CallCounter:
    """Takes tables of calls (columns of `core.record.RECORD_SCHEMA`) of a selection, and makes a mix of them."""

    selector: Selector = ALL_CALLS
    prices: PriceTable = field(default_factory=PriceTable)
    _strata: dict[Stratum, int] = field(default_factory=dict)
    _parts: list[CallColumns] = field(default_factory=list)

    def add(self, calls: pa.Table) -> None:
        for name, value in self.selector.pairs:
            calls = calls.filter(pc.equal(calls.column(name), value))
        if not calls.num_rows:
            return
        status, error = _floats(calls, "status"), calls.column("error_type").combine_chunks()
        named = _flags(pc.not_equal(error, ""))
        limited = (status == 429) | _flags(pc.equal(error, "rate_limit"))
        self._parts.append(
            CallColumns(
                at_ms=calls.column("ts").combine_chunks().cast(pa.int64()).to_numpy(),
                stratum=self._places(calls),
                known=~np.isnan(status) | named,
                errors=~limited & ((status >= 500) | named),
                rate_limited=limited,
                latency_ms=_floats(calls, "latency_ms"),
                ttft_ms=_floats(calls, "ttft_ms"),
                cost_usd=self._costs(calls),
            )
        )

    @property
    def calls(self) -> int:
        return sum(len(part.at_ms) for part in self._parts)

    def mix(self, name: str) -> CallMix:
        """Everything so far; raises ValueError where there is nothing."""
        if not self._parts:
            raise ValueError("there is no call")
        columns = CallColumns(
            **{part: np.concatenate([getattr(one, part) for one in self._parts]) for part in CallColumns.__slots__}
        )
        return mix_of(columns, tuple(self._strata), name, self.selector)

    def _places(self, calls: pa.Table) -> Ints:
        keys = pd.DataFrame({part: calls.column(part).to_pandas() for part in _KEY})
        tokens = _floats(calls, "prompt_tokens")
        sized = np.floor(np.log2(np.maximum(tokens, 1.0)) + 1e-9)
        keys["size"] = np.where(np.isnan(tokens), UNKNOWN_SIZE, np.nan_to_num(sized)).astype(np.int64)
        groups = keys.groupby([*_KEY, "size"], sort=True)
        codes = groups.ngroup().to_numpy()
        places = [
            self._strata.setdefault(Stratum(service=s, method=m, route=r, size=int(c), last_size=int(c)), len(self._strata))
            for s, m, r, c in groups.size().index
        ]
        return np.asarray(places, dtype=np.int64)[codes]

    def _costs(self, calls: pa.Table) -> Floats:
        reported = _floats(calls, "cost_usd")
        tokens = {name: _floats(calls, name) for name in TOKEN_CLASSES}
        open_ = np.isnan(reported) & ~(np.isnan(tokens["prompt_tokens"]) & np.isnan(tokens["completion_tokens"]))
        if not self.prices.prices or not open_.any():
            return reported
        models = pd.DataFrame({name: calls.column(name).to_pandas()[open_] for name in ("provider", "model")})
        models["at"] = calls.column("ts").to_pandas()[open_].dt.floor("D")
        groups = models.groupby(["provider", "model", "at"])
        codes, places = groups.ngroup().to_numpy(), np.flatnonzero(open_)
        for code, (provider, model, day) in enumerate(groups.size().index):
            price = self.prices.at(str(provider), str(model), day.to_pydatetime())
            if price is not None:
                for place in places[codes == code]:
                    reported[place] = price.cost_usd({name: float(np.nan_to_num(tokens[name][place])) for name in tokens})
        return reported


def mix_of(calls: CallColumns, strata: Sequence[Stratum], name: str, selector: Selector = ALL_CALLS) -> CallMix:
    """The calls as a mix of one span, from the first call to the last."""
    first, last = int(calls.at_ms.min()), int(calls.at_ms.max()) + 1
    blocks, count = BLOCKS, len(strata)
    block = (calls.at_ms - first) * blocks // (last - first)
    cell = block * count + calls.stratum
    shape = (blocks, count)

    def counted(weights: Floats | npt.NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(cell, weights.astype(np.float64), blocks * count), np.float64).reshape(shape)

    priced = ~np.isnan(calls.cost_usd)
    begin, end = (datetime.fromtimestamp(at / 1000.0, UTC) for at in (first, last))
    return CallMix(
        name=name,
        spans=((begin, end),),
        selector=selector,
        transaction="",
        version="",
        strata=tuple(strata),
        seconds=np.full(blocks, (last - first) / 1000.0 / blocks),
        calls=counted(np.ones(len(cell))),
        known=counted(calls.known),
        errors=counted(calls.errors),
        rate_limited=counted(calls.rate_limited),
        cost_usd=counted(np.nan_to_num(calls.cost_usd)),
        priced=counted(priced),
        latency=_histogram(cell, count, calls.latency_ms),
        ttft=_histogram(cell, count, calls.ttft_ms),
    )


def _histogram(cell: Ints, strata: int, value: Floats) -> Histogram:
    known = ~np.isnan(value)
    if not known.any():
        return Histogram.empty()
    bits = value[known].astype(np.float32).view(np.uint32) & _CUT
    both = cell[known].astype(np.uint64) << np.uint64(32) | bits.astype(np.uint64)
    entries, calls = np.unique(both, return_counts=True)
    place = (entries >> np.uint64(32)).astype(np.int64)
    cut = (entries & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32)
    return Histogram(
        block=place // strata, stratum=place % strata, value=cut.astype(np.float64) * _MIDDLE, calls=calls.astype(np.float64)
    )


def _floats(calls: pa.Table, name: str) -> Floats:
    return np.array(calls.column(name).combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _flags(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
