"""Logged calls as columns of numbers, in order of time: what a replay works on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.prices import TOKEN_CLASSES, PriceTable, TokenPrice
from core.record import DIMENSIONS
from core.series import Selector
from core.whatif import KEY_OF_ATTRIBUTE, PROMPT_HASH

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

REPLAYED_COLUMNS: tuple[str, ...] = (
    "ts", *(name for name in DIMENSIONS if name not in ("region", "method")), "status", "latency_ms", "upstream_ms",
    *TOKEN_CLASSES, "cost_usd", "cache_hit", "retries", "prompt_hash",
)  # fmt: skip
"""Columns of the call record that a replay reads."""

_ARRAYS = (
    "ts_s", "latency_ms", "upstream_ms", "prompt_tokens", "completion_tokens", "cost_usd", "good", "failed", "rejected",
    "cached", "retries",
)  # fmt: skip
_NO_KEY = np.uint64(0)


@dataclass(frozen=True, slots=True)
class Labels:
    """A text column: `values[codes]`."""

    codes: Ints
    values: npt.NDArray[np.object_]

    def equal(self, text: str) -> Mask:
        found = np.flatnonzero(self.values == text)
        return self.codes == found[0] if len(found) else np.zeros(len(self.codes), dtype=bool)

    @property
    def known(self) -> Mask:
        return ~self.equal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCalls:
    """Calls by column, arrays of shape (n_calls,), rising in time.

    Attributes
    ----------
    ts_s : ndarray
        Seconds since 1970.
    latency_ms, upstream_ms, prompt_tokens, completion_tokens, cost_usd : ndarray
        NaN where unknown. Costs are the reported ones, else priced tokens.
    good, failed, rejected : ndarray of bool
        Answered below 500 without an error type; from 500 on or with one; 429 or `rate_limit`. None of them: unknown.
    cached : ndarray of bool
        Answered from a cache, as far as is known.
    table : Table
        The columns as they were read, for keys.
    """

    start: datetime
    end: datetime
    ts_s: Floats
    labels: dict[str, Labels]
    latency_ms: Floats
    upstream_ms: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    cost_usd: Floats
    good: Mask
    failed: Mask
    rejected: Mask
    cached: Mask
    retries: Floats
    table: pa.Table

    def __len__(self) -> int:
        return len(self.ts_s)

    def matching(self, selector: Selector) -> Mask:
        """Which calls have every value that the selector asks for."""
        mask = np.ones(len(self), dtype=bool)
        for name, value in selector.pairs:
            mask &= self.labels[name].equal(value)
        return mask

    def where(self, mask: Mask) -> "LoggedCalls":
        """The calls of a mask alone, of the same window."""
        number = {name: getattr(self, name)[mask] for name in _ARRAYS}
        labels = {name: Labels(one.codes[mask], one.values) for name, one in self.labels.items()}
        return replace(self, labels=labels, table=self.table.filter(pa.array(mask)), **number)

    def keys(self, columns: Sequence[str]) -> npt.NDArray[np.uint64]:
        """A number for each combination of the columns' values; 0 where a part of the key is unknown."""
        unknown = np.zeros(len(self), dtype=bool)
        parts: dict[str, Any] = {}
        for name in columns:
            if name == PROMPT_HASH:
                parts[name] = self.table.column(PROMPT_HASH).to_numpy()
                unknown |= parts[name] == 0
            else:
                labels = self.labels[name] if name in self.labels else labels_of(self.table.column(name))
                parts[name] = labels.codes
                unknown |= ~labels.known
        hashed = pd.util.hash_pandas_object(pd.DataFrame(parts), index=False).to_numpy(np.uint64)
        return np.where(unknown, _NO_KEY, np.maximum(hashed, 1))


def logged_calls(table: pa.Table, start: datetime, end: datetime, prices: PriceTable | None = None) -> LoggedCalls:
    """Calls of [start, end) from a table with `REPLAYED_COLUMNS`, and any attributes that keys need, as `attributes.NAME`."""
    table = table.sort_by("ts")
    number = {name: _number(table, name) for name in ("status", "latency_ms", "upstream_ms", "cost_usd", *TOKEN_CLASSES)}
    labels = {name: labels_of(table.column(name)) for name in DIMENSIONS if name in table.column_names}
    error_type, status = labels["error_type"], number["status"]
    rejected = (status == 429) | error_type.equal("rate_limit")
    cost = number["cost_usd"]
    if prices is not None and prices.prices:
        cost = np.where(np.isnan(cost), _priced(table, labels, number, prices), cost)
    return LoggedCalls(
        start=start,
        end=end,
        ts_s=table.column("ts").cast(pa.int64()).to_numpy() / 1000.0,
        labels=labels,
        latency_ms=number["latency_ms"],
        upstream_ms=number["upstream_ms"],
        prompt_tokens=number["prompt_tokens"],
        completion_tokens=number["completion_tokens"],
        cost_usd=cost,
        good=(status < 500) & ~rejected & ~error_type.known,
        failed=((status >= 500) | error_type.known) & ~rejected,
        rejected=rejected,
        cached=_number(table, "cache_hit") == 1.0,
        retries=np.nan_to_num(_number(table, "retries")),
        table=table,
    )


def attribute_columns(keys: Sequence[str]) -> tuple[str, ...]:
    """Names of the attributes among the parts of keys."""
    return tuple(dict.fromkeys(name.removeprefix(KEY_OF_ATTRIBUTE) for name in keys if name.startswith(KEY_OF_ATTRIBUTE)))


def labels_of(column: pa.ChunkedArray) -> Labels:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = np.array(encoded.dictionary.to_pylist(), dtype=np.object_)
    return Labels(encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), values)


def _number(table: pa.Table, name: str) -> Floats:
    column = table.column(name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _priced(table: pa.Table, labels: dict[str, Labels], number: dict[str, Floats], prices: PriceTable) -> Floats:
    """Tokens × the price at each call's time; NaN where there are no tokens or no price."""
    ts_s = table.column("ts").cast(pa.int64()).to_numpy() / 1000.0
    changes = np.array([change.timestamp() for change in prices.changes])
    period = np.searchsorted(changes, ts_s, side="right")
    provider, model = labels["provider"], labels["model"]
    cost = np.full(len(ts_s), np.nan)
    known = ~(np.isnan(number["prompt_tokens"]) & np.isnan(number["completion_tokens"]))
    groups = np.unique(np.stack([provider.codes[known], model.codes[known], period[known]]), axis=1).T
    for of_provider, of_model, of_period in groups:
        moment = datetime.fromtimestamp(changes[of_period - 1] if of_period else 0.0, UTC)
        price = prices.at(str(provider.values[of_provider]), str(model.values[of_model]), moment)
        if price is None:
            continue
        inside = known & (provider.codes == of_provider) & (model.codes == of_model) & (period == of_period)
        tokens = {name: np.nan_to_num(number[name][inside]) for name in TOKEN_CLASSES}
        cost[inside] = sum(tokens[name] * _unit_usd(price, name) for name in TOKEN_CLASSES)
    return cost


_WHOLE = {"cached_tokens": "prompt_tokens", "cache_write_tokens": "prompt_tokens", "reasoning_tokens": "completion_tokens"}


def _unit_usd(price: TokenPrice, name: str) -> float:
    """What one token more of a class costs; a part counts as the difference from its whole, in which it is counted too."""
    nothing = dict.fromkeys(TOKEN_CLASSES, 0.0)
    whole = _WHOLE.get(name)
    if whole is None:
        return price.cost_usd({**nothing, name: 1.0})
    return price.cost_usd({**nothing, whole: 1.0, name: 1.0}) - price.cost_usd({**nothing, whole: 1.0})
