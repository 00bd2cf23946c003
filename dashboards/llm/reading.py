"""What the LLM page reads: totals and steps by provider and model, and how long the first token takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from core.capacity import LimitOutlook
from core.series import Selector
from dashboards import queries
from dashboards.context import Web
from dashboards.explore.reading import checked
from dashboards.explore.spread import CURVE, level_name
from dashboards.llm.figures import (
    COLUMNS,
    cost_per_1000_calls,
    cost_per_million_tokens,
    ratio,
    saved_by_hits,
    saved_by_prompt_cache,
)
from dashboards.selection import overlaps, read_selector
from dashboards.window import Window, link, read_window, step_for
from storage.breakdowns import breakdown, read_breakdown, read_totals
from storage.distributions import read_quantiles
from storage.prices import read_prices

PATH = "/llm"
DEFAULT_LAST = "6h"
BY = ("provider", "model")
TTFT = "ttft_p95"
TTFT_LEVELS = (0.5, 0.9, 0.95, 0.99)
QUOTAS = frozenset({"calls_per_min", "tokens_per_min"})
_POINTS = 500
_MINUTES = timedelta(days=4)
_METRICS = ("tps", "latency_p95", "error_rate", "rate_limited_rate", "fallback_rate", "cache_hit_rate", "tokens_per_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmAsked:
    """One view of the page; `one` and `other` are the models that are compared, as `provider/model`, or empty."""

    window: Window
    selector: Selector
    one: str
    other: str
    query: Mapping[str, str] = field(hash=False, compare=False)

    def file(self, part: str) -> str:
        """Where a part of the page is had as CSV."""
        return link(f"{PATH}/files/{part}", self.query)


def read_llm_asked(query: Mapping[str, str], now: datetime) -> LlmAsked:
    """What `query` asks for. Raises BadWindow."""
    whole = read_window(query, now, DEFAULT_LAST)
    span = whole.last or whole.end - whole.start
    step_s = max(step_for(span, _POINTS), 3600 if span >= _MINUTES else 60)
    return LlmAsked(
        window=read_window(query, now, DEFAULT_LAST, step_s),
        selector=read_selector(query),
        one=query.get("one", ""),
        other=query.get("other", ""),
        query=dict(query),
    )


def model_name(provider: str, model: str) -> str:
    """`openai/gpt-4o`."""
    return f"{provider or '(none)'}/{model or '(none)'}"


def read_models(web: Web, asked: LlmAsked) -> pd.DataFrame:
    """One row a provider and model with LLM calls, busiest first.

    `provider`, `model`, the columns, `tps`, shares and rates, `ttft_p50` to `ttft_p99` and `latency_p95` (ms), tokens a second
    in, out and cached, costs and savings (USD); NaN where unknown.
    """
    start, end = asked.window.start, queries.known_until(web, asked.window)
    first = queries.freshness(web).first
    seconds = max((end - max(start, min(first or start, end))).total_seconds(), 1.0)

    def ask() -> pd.DataFrame:
        question = checked(web, breakdown(
            web.store, start, end, asked.window.step_s, _METRICS, by=BY, selector=asked.selector, more=COLUMNS
        ))  # fmt: skip
        return llm_calls(read_totals(web.store, question, seconds))

    key = ("llm totals", start, end, asked.window.step_s, asked.selector)
    rows = web.cache.get(key, queries.keep_s(asked.window), ask)
    rows = rows.assign(name=[model_name(p, m) for p, m in zip(rows["provider"], rows["model"], strict=True)])
    for name, column in (("in", "prompt_tokens"), ("out", "completion_tokens"), ("cached", "cached_tokens")):
        rows[f"tokens_{name}_per_s"] = (rows[column] / seconds).where(rows["tokens_known"] > 0)
    rows["cached_share"] = ratio(rows["cached_tokens"], rows["prompt_tokens"])
    rows["usd_per_1000_calls"] = cost_per_1000_calls(rows)
    rows["usd_per_1m_tokens"] = cost_per_million_tokens(rows)
    rows["saved_by_hits_usd"] = saved_by_hits(rows)
    prices = web.cache.get("prices", queries.SLOW_S, lambda: read_prices(web.store))
    rows["saved_by_prompt_cache_usd"] = saved_by_prompt_cache(rows, prices, end)
    return rows.merge(_ttft_of_models(web, asked), on=list(BY), how="left")


def read_model_steps(web: Web, asked: LlmAsked) -> pd.DataFrame:
    """`ts`, `provider`, `model` and the columns, only steps with calls."""
    end = queries.known_until(web, asked.window)

    def ask() -> pd.DataFrame:
        question = breakdown(
            web.store, asked.window.start, end, asked.window.step_s, ("tps",), by=BY, selector=asked.selector, more=COLUMNS
        )
        return llm_calls(read_breakdown(web.store, checked(web, question)))

    return web.cache.get(
        ("llm steps", asked.window.start, end, asked.window.step_s, asked.selector), queries.keep_s(asked.window), ask
    )


def read_ttft(web: Web, asked: LlmAsked) -> pd.DataFrame:
    """`ts` and `ttft_p50` to `ttft_p99` (ms) of every step, NaN where no call has one."""
    end = queries.known_until(web, asked.window)

    def ask() -> pd.DataFrame:
        question = breakdown(
            web.store, asked.window.start, end, asked.window.step_s, (TTFT,), selector=asked.selector, from_hours=False
        )
        found = read_quantiles(web.store, checked(web, question), TTFT, TTFT_LEVELS)
        frame = pd.DataFrame(found.values, columns=_ttft_names()).assign(ts=pd.DatetimeIndex(found.rows["ts"]))
        steps = pd.date_range(asked.window.start, end, freq=asked.window.step, inclusive="left").as_unit("ms")
        return frame.set_index("ts").reindex(steps).rename_axis("ts").reset_index()

    key = ("ttft", asked.window.start, end, asked.window.step_s, asked.selector)
    return web.cache.get(key, queries.keep_s(asked.window), ask)


def read_versions(web: Web, asked: LlmAsked, models: pd.DataFrame) -> pd.DataFrame:
    """The two compared models: their rows of `models` with `p1` to `p99.9` of TTFT (ms), fewer where one has no calls."""
    chosen = chosen_models(asked, models)
    rows = models.set_index("name").reindex([name for name in chosen if name]).dropna(subset="calls").reset_index()
    if rows.empty:
        return rows
    among = [(str(p), str(m)) for p, m in zip(rows["provider"], rows["model"], strict=True)]
    found = _quantiles_of(web, asked, tuple(among), CURVE)
    return rows.merge(found.rename(columns=dict(zip(found.columns[2:], map(level_name, CURVE), strict=True))), how="left")


def chosen_models(asked: LlmAsked, models: pd.DataFrame) -> tuple[str, str]:
    """The names of the models to compare: those of the address, else two of the busiest provider that has two, or of any."""
    names = models["name"].tolist()
    several = models[models["provider"].duplicated(keep=False)]["provider"]
    preferred = models[models["provider"] == several.iloc[0]]["name"].tolist() if len(several) else []
    ranked = list(dict.fromkeys([*preferred, *names]))
    one = asked.one or next((name for name in ranked if name != asked.other), "")
    other = asked.other or next((name for name in ranked if name != one), "")
    return one, other


def quotas(web: Web, asked: LlmAsked) -> list[LimitOutlook]:
    """The providers' quotas that concern the selection."""
    return [one for one in queries.limits_outlook(web) if one.kind in QUOTAS and overlaps(asked.selector, one.selector)]


def llm_calls(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of calls to a model."""
    return rows[(rows["model"] != "") | (rows["tokens_known"] > 0)].reset_index(drop=True)


def _ttft_of_models(web: Web, asked: LlmAsked) -> pd.DataFrame:
    found = _quantiles_of(web, asked, (), TTFT_LEVELS)
    return found.rename(columns=dict(zip(found.columns[2:], _ttft_names(), strict=True)))


def _quantiles_of(web: Web, asked: LlmAsked, among: tuple[tuple[str, ...], ...], levels: tuple[float, ...]) -> pd.DataFrame:
    """`provider`, `model`, and TTFT (ms) at each level, in a column of its number."""
    start, end = asked.window.start, queries.known_until(web, asked.window)

    def ask() -> pd.DataFrame:
        question = breakdown(
            web.store, start, end, asked.window.step_s, (TTFT,), by=BY, selector=asked.selector, among=among, from_hours=False
        )
        found = read_quantiles(web.store, checked(web, question), TTFT, levels, over_time=False)
        return pd.concat([found.rows[list(BY)], pd.DataFrame(np.asarray(found.values))], axis=1)

    return web.cache.get(("ttft of", start, end, asked.selector, among, levels), queries.keep_s(asked.window), ask)


def _ttft_names() -> list[str]:
    return [f"ttft_{level_name(level)}" for level in TTFT_LEVELS]
