"""The LLM page's cards."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from core.prices import PriceTable
from dashboards import queries
from dashboards.cards import Card, NotShownError
from dashboards.context import Web
from dashboards.explore.reading import OTHERS
from dashboards.explore.spread import CURVE, level_name
from dashboards.llm.figures import (
    SHARES,
    cost_per_1000_calls,
    cost_per_million_tokens,
    ratio,
    saved_by_hits,
    saved_by_prompt_cache,
    summed,
)
from dashboards.llm.reading import LlmAsked, model_name, read_model_steps, read_models, read_ttft, read_versions
from dashboards.look import Look, for_page
from render.distributions import Curve, percentile_curves
from render.figures import is_empty, timeseries
from render.parts import Line, Span
from render.theme import theme_of
from render.units import format_span, unit_words
from storage.prices import read_prices

TITLES: dict[str, tuple[str, str]] = {
    "tps": ("Transactions per second by model", "calls/s"),
    "ttft": ("Time to first token", "ms"),
    "tokens": ("Tokens per second", "tokens/s"),
    "per_calls": ("Cost per 1,000 calls", "USD"),
    "per_tokens": ("Cost per 1M tokens", "USD"),
    "shares": ("Cache hits, fallbacks and 429s", "1"),
    "saved": ("Saved by caches", "USD/h"),
    "versions": ("Time to first token, version against version", "ms"),
}
"""Title and unit of each chart."""

LEADING = 5
_NO_CALLS = "No LLM call of this selection in this window."

Lines = list[tuple[str, pd.DataFrame]]


def cards(web: Web, asked: LlmAsked, look: Look) -> list[tuple[Card, Callable[[], Card]]]:
    """The empty card and how it is filled, of each chart."""
    found: list[tuple[Card, Callable[[], Card]]] = []
    for name, (title, unit) in TITLES.items():
        step = "the whole window" if name == "versions" else f"every {format_span(asked.window.step)}"
        empty = Card(id=name, title=title, subtitle=f"{unit_words(unit)} · {step}", file=asked.file(name))
        draw = _versions if name == "versions" else _over_time
        found.append((empty, partial(draw, web, asked, look, empty)))
    return found


def lines_of(web: Web, asked: LlmAsked, name: str) -> Lines:
    """What the chart of this name shows: names and frames of `ts`, `value`."""
    if name == "ttft":
        frame = read_ttft(web, asked)
        return [(level, frame.rename(columns={f"ttft_{level.lower()}": "value"})[["ts", "value"]])
                for level in ("P50", "P90", "P95", "P99")]  # fmt: skip
    steps = read_model_steps(web, asked)
    dense = pd.date_range(
        asked.window.start, queries.known_until(web, asked.window), freq=asked.window.step, inclusive="left"
    ).as_unit("ms")
    seconds = asked.window.step_s
    if name == "tps":
        return calls_by_model(steps, dense, seconds)
    of_all = summed(steps, ["ts"])
    if name == "tokens":
        columns = (("in", "prompt_tokens"), ("out", "completion_tokens"), ("in, of these cached", "cached_tokens"))
        return [(words, _dense(dense, of_all["ts"], of_all[column] / seconds, 0.0)) for words, column in columns]
    if name == "shares":
        return [
            (words, _dense(dense, of_all["ts"], ratio(of_all[top], of_all[below]))) for words, (top, below) in SHARES.items()
        ]
    if name == "saved":
        return _saved(web, asked, steps, dense)
    value = cost_per_1000_calls if name == "per_calls" else cost_per_million_tokens
    busiest = steps.groupby(["provider", "model"])["calls"].sum().nlargest(LEADING).index
    found = [("all models", _dense(dense, of_all["ts"], value(of_all)))]
    for provider, model in busiest:
        rows = steps[(steps["provider"] == provider) & (steps["model"] == model)]
        found.append((model_name(provider, model), _dense(dense, rows["ts"], value(rows))))
    return found


def calls_by_model(steps: pd.DataFrame, dense: pd.DatetimeIndex, seconds: int) -> Lines:
    busiest = list(steps.groupby(["provider", "model"])["calls"].sum().nlargest(LEADING).index)
    keys = pd.MultiIndex.from_frame(steps[["provider", "model"]])
    found = []
    for provider, model in busiest:
        rows = steps[keys == (provider, model)]
        found.append((model_name(provider, model), _dense(dense, rows["ts"], rows["calls"] / seconds, 0.0)))
    rest = steps[~keys.isin(busiest)].groupby("ts")["calls"].sum()
    if len(rest):
        found.append((OTHERS, _dense(dense, pd.Series(rest.index), rest.to_numpy() / seconds, 0.0)))
    return found


def _saved(web: Web, asked: LlmAsked, steps: pd.DataFrame, dense: pd.DatetimeIndex) -> Lines:
    prices: PriceTable = web.cache.get("prices", queries.SLOW_S, lambda: read_prices(web.store))
    per_hour = 3600 / asked.window.step_s
    parts = (
        ("by the gateway's cache", saved_by_hits(steps)),
        ("by the provider's prompt cache", saved_by_prompt_cache(steps, prices, queries.known_until(web, asked.window))),
    )
    found = []
    for words, values in parts:
        whole = pd.Series(values * per_hour).groupby(steps["ts"].to_numpy()).sum(min_count=1)
        found.append((words, _dense(dense, pd.Series(whole.index), whole.to_numpy())))
    return found


def _dense(
    steps: pd.DatetimeIndex, at: pd.Series, values: "pd.Series | np.ndarray", idle: float = float("nan")
) -> pd.DataFrame:
    """Every step; `idle` where there is no value between the first and the last one."""
    known = pd.Series(np.asarray(values, dtype=float), index=pd.DatetimeIndex(at))
    frame = pd.DataFrame({"ts": steps, "value": known.reindex(steps).to_numpy()})
    inside = frame["value"].ffill().notna()
    return frame.assign(value=frame["value"].mask(inside & ~steps.isin(known.index), idle))


def _over_time(web: Web, asked: LlmAsked, look: Look, empty: Card) -> Card:
    lines = lines_of(web, asked, empty.id)
    if all(is_empty(frame) for _, frame in lines):
        raise NotShownError(_why_empty(web, asked, empty.id))
    shown = [Line(name=name, frame=frame, quiet=name == OTHERS) for name, frame in lines if not is_empty(frame)]
    span = Span(start=asked.window.start, end=asked.window.end, zone=web.zone.key)
    figure = timeseries(shown, span, TITLES[empty.id][1], theme_of(look.mode), revision=f"{sorted(asked.query.items())}")
    figure, legend = for_page(figure, empty.id, look)
    return replace(empty, figure=figure, legend=legend)


def _versions(web: Web, asked: LlmAsked, look: Look, empty: Card) -> Card:
    rows = read_versions(web, asked, read_models(web, asked))
    names: Sequence[str] = [level_name(level) for level in CURVE]
    if rows.empty or rows[list(names)].isna().all(axis=None):
        raise NotShownError("Neither of the two models has calls with a time to the first token in this window.")
    curves = [
        Curve(name=str(row["name"]), levels=CURVE, values=[float(row[name]) for name in names])
        for _, row in rows.iterrows()
        if row[list(names)].notna().all()
    ]
    figure, legend = for_page(percentile_curves(curves, theme_of(look.mode)), empty.id, look)
    return replace(empty, figure=figure, legend=legend)


def _why_empty(web: Web, asked: LlmAsked, name: str) -> str:
    if queries.freshness(web).newest is None:
        return "No calls have been recorded yet."
    if read_model_steps(web, asked).empty:
        return _NO_CALLS
    if name in ("per_calls", "per_tokens", "saved"):
        return "No cost is known of these calls: none was reported, and no price fits (prices in the configuration)."
    return "These calls do not report it."
