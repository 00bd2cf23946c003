"""What follows from the columns of LLM calls (`storage/rollups.py`): tokens, cost, and what caches have saved. Pure.

Every frame has `provider`, `model` and the columns of `COLUMNS`, one row a model, or a model and step.
"""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.prices import PriceTable

Floats = npt.NDArray[np.float64]

COLUMNS: tuple[str, ...] = (
    "calls", "prompt_tokens", "completion_tokens", "cached_tokens", "tokens_known", "cost_usd", "unpriced", "cache_hits",
    "cache_known", "fallbacks", "fallback_known", "rate_limited", "status_known", "errors",
)  # fmt: skip
SHARES: dict[str, tuple[str, str]] = {
    "cache hits": ("cache_hits", "cache_known"),
    "fallbacks": ("fallbacks", "fallback_known"),
    "rate limited (429)": ("rate_limited", "status_known"),
}
PER_CALLS, PER_TOKENS = 1_000, 1_000_000


def ratio(top: pd.Series, bottom: pd.Series) -> Floats:
    """`top / bottom`; NaN where `bottom` is 0 or unknown."""
    below = bottom.to_numpy(dtype=float)
    found: Floats = np.divide(top.to_numpy(dtype=float), below, out=np.full(len(below), np.nan), where=below > 0)
    return found


def cost_per_1000_calls(rows: pd.DataFrame) -> Floats:
    """USD for a thousand calls of those whose cost is known."""
    return PER_CALLS * ratio(rows["cost_usd"], rows["calls"] - rows["unpriced"])


def cost_per_million_tokens(rows: pd.DataFrame) -> Floats:
    """USD for a million tokens, in and out together; the tokens of unpriced calls are taken to be like those of the others."""
    tokens = rows["prompt_tokens"] + rows["completion_tokens"]
    priced = pd.Series(ratio(rows["calls"] - rows["unpriced"], rows["calls"]), index=rows.index)
    return PER_TOKENS * ratio(rows["cost_usd"], tokens * priced)


def saved_by_hits(rows: pd.DataFrame) -> Floats:
    """USD that answers from the gateway's cache have spared: hits at the mean cost of the calls whose cost is known.

    Where hits are reported as free calls this is less than the truth. NaN where no call says whether it was a hit.
    """
    saved = rows["cache_hits"].to_numpy(dtype=float) * cost_per_1000_calls(rows) / PER_CALLS
    known: Floats = np.where(rows["cache_known"].to_numpy(dtype=float) > 0, saved, np.nan)
    return known


def saved_by_prompt_cache(rows: pd.DataFrame, prices: PriceTable, at: datetime) -> Floats:
    """USD that tokens read from the provider's cache cost less than plain ones, by the price table; NaN without a price."""
    found = []
    for provider, model, cached in zip(rows["provider"], rows["model"], rows["cached_tokens"], strict=True):
        price = prices.at(str(provider), str(model), at)
        known = price is not None and price.cached is not None
        found.append(cached / PER_TOKENS * (price.input - price.cached) if known else np.nan)  # type: ignore[union-attr, operator]
    return np.asarray(found, dtype=float)


def summed(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The columns added up by `by`, in its order."""
    return rows.groupby(by, sort=True)[list(COLUMNS)].sum().reset_index()
