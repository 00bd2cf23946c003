"""The LLM page: layout, and the HTML of what `dashboards.llm` has read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from dash import dcc, html

from core.capacity import LimitOutlook
from dashboards.llm.drawing import TITLES
from dashboards.llm.page_data import LlmData
from dashboards.llm.reading import DEFAULT_LAST, PATH
from dashboards.pages.controls import filters, windows
from dashboards.pages.live_cards import card
from dashboards.pages.options import an_option, option, removable
from dashboards.pages.words import notice, table
from dashboards.selection import FILTERS
from dashboards.window import link
from render.units import UNKNOWN, format_number, format_value

PAGE = "llm"
_COMPARED_WITH = "versions"
_MANY_TIMES = 10.0

Format = Callable[[float], str]


def _ms(value: float) -> str:
    return format_value(value, "ms")


def _share(value: float) -> str:
    return format_value(value, "1")


TRAFFIC: tuple[tuple[str, str, Format], ...] = (
    ("calls", "calls", format_number),
    ("tps", "TPS", format_number),
    ("ttft_p50", "TTFT P50", _ms),
    ("ttft_p90", "P90", _ms),
    ("ttft_p95", "P95", _ms),
    ("ttft_p99", "P99", _ms),
    ("latency_p95", "latency P95", _ms),
    ("error_rate", "errors", _share),
    ("rate_limited_rate", "429s", _share),
    ("fallback_rate", "fallbacks", _share),
)
"""Columns of the first table: of `reading.read_models`, heading, how it is written."""

COSTS: tuple[tuple[str, str, Format], ...] = (
    ("tokens_per_s", "tokens/s", format_number),
    ("tokens_in_per_s", "in/s", format_number),
    ("tokens_out_per_s", "out/s", format_number),
    ("cached_share", "in cached", _share),
    ("usd_per_1000_calls", "USD/1k calls", format_number),
    ("usd_per_1m_tokens", "USD/1M tokens", format_number),
    ("cost_usd", "USD", format_number),
    ("cache_hit_rate", "cache hits", _share),
    ("saved_by_hits_usd", "hits save, USD", format_number),
    ("saved_by_prompt_cache_usd", "prompts save, USD", format_number),
)


def layout(query: Mapping[str, str], choices: Mapping[str, list[str]], models: Sequence[str]) -> Any:
    """The page before its data; `models` can be compared with one another."""
    names = [an_option(name, name) for name in models]
    charts = [card(PAGE, name, title) for name, (title, _) in TITLES.items() if name != _COMPARED_WITH]
    return html.Div(
        [
            html.Div([html.H1("LLM"), html.Div(id="llm-span", className="muted")], className="heading"),
            html.Div([windows(PATH, DEFAULT_LAST), filters(query, choices)], className="controls"),
            html.Div(id="llm-notes"),
            html.Section(id="llm-models", className="panel"),
            html.Div(charts, className="grid filled"),
            html.Section(id="llm-quotas", className="panel"),
            html.H2("Version against version"),
            html.Div(
                [option("one", "one", names, query, "the busiest"), option("other", "other", names, query, "the next one")],
                className="controls options",
            ),
            html.Div(
                [html.Section(id="llm-versions", className="panel"), card(PAGE, _COMPARED_WITH, TITLES[_COMPARED_WITH][0])],
                className="grid apart",
            ),
        ]
    )  # fmt: skip


def notes(data: LlmData) -> list[Any]:
    """Filters without a list, and what a reader must know of costs and of where the data come from."""
    found: list[Any] = [
        removable(PATH, data.asked.query, [name for name in data.asked.selector.dimensions if name not in FILTERS])
    ]
    if data.models is not None:
        unpriced, calls = float(data.models["unpriced"].sum()), float(data.models["calls"].sum())
        if unpriced > 0:
            found.append(notice(
                f"The cost of {format_number(unpriced)} of {format_number(calls)} calls is unknown: not reported, nor priced "
                "(prices in the configuration). Costs per call and token are those of the others.", tone="bad"
            ))  # fmt: skip
    if data.generated:
        found.append(notice("This window holds generated history: simulated calls, not your gateways' traffic."))
    return found


def models_section(data: LlmData) -> list[Any]:
    """Both tables by provider and model."""
    head = html.Div(
        [
            html.Div([html.H2("By provider and model"), html.Div("the whole window · most calls first", className="muted")]),
            html.Div(html.A("CSV", href=data.asked.file("models"), className="button quiet csv", title="Download as CSV"),
                     className="exports"),
        ],
        className="card-head",
    )  # fmt: skip
    if data.models is None:
        return [head, notice(data.words)]
    return [
        head,
        _table(data, TRAFFIC, "Traffic, time to first token and failures by provider and model"),
        html.H3("Tokens and cost"),
        _table(data, COSTS, "Tokens, cost and savings by provider and model"),
        html.P(
            "Hits save: answers from the gateway's cache, at the mean cost of the calls that have one. Prompts save: tokens "
            "from the provider's cache, at the difference of the two prices in the configuration.",
            className="muted",
        ),
    ]


def _table(data: LlmData, columns: Sequence[tuple[str, str, Format]], caption: str) -> Any:
    assert data.models is not None
    names = ["provider", "model", *(heading for _, heading, _ in columns)]
    rows = []
    for _, row in data.models.iterrows():
        shown = [_linked(data, row, "provider"), _linked(data, row, "model")]
        rows.append([*shown, *(written(row[name]) for name, _, written in columns)])
    return table(names, rows, caption=caption, numeric=range(2, len(names)))


def _linked(data: LlmData, row: pd.Series, name: str) -> Any:
    """The value, leading to all that Explore can tell of it."""
    value = str(row[name])
    if not value:
        return "(none)"
    narrowed = {**data.asked.window.query, **data.asked.selector.labels, name: value}
    return dcc.Link(value, href=link("/explore", {**narrowed, "by": "model" if name == "provider" else "service"}))


def quota_section(quotas: Sequence[LimitOutlook]) -> list[Any]:
    """What is left of the providers' quotas."""
    head = html.H2("Quotas and headroom")
    if not quotas:
        return [head, notice("No quota of these providers is known. Name it under limits in the configuration "
                             "(calls_per_min, tokens_per_min); 429s are counted above all the same.")]  # fmt: skip
    rows = [
        (
            one.name,
            one.selector.words,
            f"{format_number(one.limit.value)} {one.unit}",
            format_number(one.now),
            _left(one),
            _share(one.headroom),
            _minutes(one),
        )
        for one in quotas
    ]
    names = ("quota", "of", "at most", "now", "free now", "free in the busiest hour ahead", "used up in")
    return [head, table(names, rows, caption="Quotas of providers and what is left of them", numeric=(2, 3, 4, 5))]


def _left(one: LimitOutlook) -> str:
    return UNKNOWN if one.now != one.now or not one.limit.value else _share(1 - one.now / one.limit.value)


def _minutes(one: LimitOutlook) -> str:
    if one.minutes is None or one.minutes.value != one.minutes.value:
        return "unknown"
    return "not at this pace" if one.minutes.value == float("inf") else f"{format_number(one.minutes.value)} min"


def versions_section(data: LlmData) -> list[Any]:
    """The two chosen models side by side."""
    head = html.Div(
        [html.H2("Side by side"), html.A("CSV", href=data.asked.file(_COMPARED_WITH), className="button quiet csv")],
        className="card-head",
    )
    if data.models is None:
        return [head, notice(data.words)]
    rows = [data.models[data.models["name"] == name] for name in data.chosen]
    if not all(data.chosen):
        return [head, notice("There is only one model in this window; nothing to compare it with.")]
    missing = [name for name, row in zip(data.chosen, rows, strict=True) if row.empty]
    if missing:
        return [head, notice(f"{' and '.join(missing)} had no call in this window.")]
    one, other = (row.iloc[0] for row in rows)
    lines = [
        (heading if not name.startswith("ttft") else f"TTFT {heading.removeprefix('TTFT ')}", written(one[name]),
         written(other[name]), difference(one[name], other[name]))
        for name, heading, written in (*TRAFFIC, *COSTS)
    ]  # fmt: skip
    names = ("", *data.chosen, "difference")
    return [head, table(names, lines, caption=f"{data.chosen[0]} against {data.chosen[1]}", numeric=(1, 2, 3))]


def difference(one: float, other: float) -> str:
    """How the second differs from the first; per cent of more than ten times as much read badly."""
    if one != one or other != other or one == 0:
        return "–"
    ratio = other / one
    return f"{ratio:.3g} times" if ratio >= _MANY_TIMES else f"{(ratio - 1) * 100:+.3g} %"
