"""The explore page: layout, and the HTML of what `dashboards.explore` has read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from dash import dcc, html

from core.record import DIMENSIONS
from core.series import METRICS
from dashboards.catalogue import METRIC_WORDS
from dashboards.explore.asked import COMPARED, DEFAULT_BY, DEFAULT_LAST, DEFAULT_METRIC, NOTHING, PATH, RANKS, TOPS, Asked
from dashboards.explore.drawing import CHARTS
from dashboards.explore.page_data import ExploreData
from dashboards.explore.reading import TABLE
from dashboards.pages.controls import filters, windows
from dashboards.pages.live_cards import card
from dashboards.pages.options import an_option, option, removable
from dashboards.pages.words import notice, table
from dashboards.selection import FILTERS
from render.units import format_number, format_value

PAGE = "explore"
_TITLES = {"lines": "Over time", "week": "By hour and weekday", "distribution": "Distribution", "curves": "Percentiles"}
_SHORT = {"tps": "TPS", "error_rate": "errors", **{f"latency_p{level}": f"P{level}" for level in (50, 90, 95, 99)}}


def layout(query: Mapping[str, str], choices: Mapping[str, list[str]]) -> Any:
    """The page before its data; `query` sets what is chosen."""
    dimensions = [an_option(name.replace("_", " "), name) for name in DIMENSIONS]
    chosen = [
        option(
            "metric", "metric", [an_option(METRIC_WORDS[name], name) for name in METRICS], query, METRIC_WORDS[DEFAULT_METRIC]
        ),
        option("by", "split by", [*dimensions, an_option("nothing", NOTHING)], query, DEFAULT_BY),
        option("and", "and by", dimensions, query, "nothing else"),
        option("rank", "show", [an_option(words, name) for name, words in RANKS.items()], query, "most calls"),
        option("top", "how many", [an_option(one, one) for one in TOPS[1:]], query, TOPS[0]),
        option("compare", "compare with", [an_option(words, name) for name, words in COMPARED.items()], query, "nothing"),
    ]
    head, *rest = (card(PAGE, name, _TITLES[name], tall=name == "lines") for name in CHARTS)
    return html.Div(
        [
            html.Div([html.H1("Explore"), html.Div(id="explore-span", className="muted")], className="heading"),
            html.Div([windows(PATH, DEFAULT_LAST), filters(query, choices)], className="controls"),
            html.Div(chosen, className="controls options"),
            html.Div(id="explore-notes"),
            head,
            html.Section(id="explore-table", className="panel"),
            html.Div(rest, className="grid filled"),
        ]
    )


def notes(data: ExploreData) -> list[Any]:
    """Filters that no list of the page shows, each with a way to end it; and where the data come from."""
    found: list[Any] = [
        removable(PATH, data.asked.query, [name for name in data.asked.selector.dimensions if name not in FILTERS])
    ]
    if data.generated:
        found.append(notice("This window holds generated history: simulated calls, not your gateways' traffic."))
    return found


def table_section(data: ExploreData) -> list[Any]:
    """The combinations with the most calls, or the highest values, and the way into each."""
    asked = data.asked
    how = "highest" if asked.by_value else "most calls"
    split = " and ".join(asked.by) or "all calls"
    head = html.Div(
        [
            html.Div([html.H2(f"Top {asked.top} by {split}" if asked.by else "All calls of the selection"),
                      html.Div(f"{how} first · the whole window" if asked.by else "the whole window", className="muted")]),
            html.Div([dcc.Link("Single calls", href=asked.calls(), className="button quiet"),
                      html.A("CSV", href=asked.file("table"), className="button quiet", title="Download as CSV")],
                     className="exports"),
        ],
        className="card-head",
    )  # fmt: skip
    if data.table is None:
        return [head, notice(data.words)]
    columns = list(dict.fromkeys((asked.metric, *TABLE)))
    changes = ["before", "change"] if asked.before is not None else []
    names = [*asked.by, "calls", *(_SHORT.get(name, METRIC_WORDS[name]) for name in columns), *changes, ""]
    rows = [_row(asked, row, columns) for _, row in data.table.iterrows()]
    numeric = range(len(asked.by), len(names) - 1)
    return [head, table(names, rows, caption=f"Calls by {split}", numeric=numeric)]


def _row(asked: Asked, row: pd.Series, columns: list[str]) -> list[Any]:
    values = tuple(str(row[name]) for name in asked.by)
    href = asked.narrowed(values) if values else ""
    named: list[Any] = [dcc.Link(value, href=href) if href and value else value or "(none)" for value in values]
    cells = [format_number(row["calls"]), *(format_value(row[name], METRICS[name].unit) for name in columns)]
    if asked.before is not None:
        cells += [format_value(row["before"], asked.unit), change_words(row[asked.metric], row["before"])]
    reachable = all(values)
    return [*named, *cells, dcc.Link("calls", href=asked.calls(values)) if reachable else ""]


def change_words(now: float, before: float) -> str:
    """`+12 %`; `new` for what was not there before."""
    if now != now or before != before:
        return "unknown"
    if before == 0:
        return "unchanged" if now == 0 else "new"
    return f"{(now / before - 1) * 100:+.3g} %"


def freshness_words(until: datetime | None, zone: ZoneInfo) -> Any:
    """Up to when the data are whole."""
    return html.Span("no calls yet" if until is None else f"data up to {until.astimezone(zone):%H:%M}")
