"""The forecast page: layout, and the HTML of what `dashboards.forecast` has read."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.durations import parse_duration
from core.series import METRICS
from core.types import ForecastBacktest
from dashboards.catalogue import METRIC_WORDS
from dashboards.forecast import EVERYTHING, ForecastData, quality_words
from dashboards.pages.cards import GRAPH_CONFIG
from dashboards.pages.controls import choice, slow_tick, updated
from dashboards.pages.words import extra, facts, notice, table, tile, tile_value, when
from render.units import format_span, unit_words

FORMATS = (
    ("csv", "CSV"), ("xlsx", "XLSX"), ("json", "JSON"), ("parquet", "Parquet"), ("html", "HTML"), ("png", "PNG")
)  # fmt: skip


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            slow_tick("forecast"),
            html.Div([html.H1("Capacity forecast"), html.Div(id="forecast-span", className="muted")], className="heading"),
            html.Div(
                [
                    choice("metric", "metric", [], None),
                    choice("selector", "selection", [], None),
                ],
                className="controls filters",
            ),
            html.Div(notice("Loading …"), id="forecast-words"),
            html.Div(
                [
                    html.Div(id="forecast-tiles", className="tiles"),
                    html.Section(
                        [
                            html.Div([html.H2(id="forecast-title"), html.Div(id="forecast-exports", className="exports")],
                                     className="card-head"),
                            html.Div(id="forecast-legend", className="legend"),
                            dcc.Graph(id="forecast-graph", config=GRAPH_CONFIG, className="graph tall"),
                        ],
                        className="card",
                    ),
                    html.Section(id="forecast-facts", className="panel"),
                ],
                id="forecast-body",
                className="gone",
            ),
            html.Section(id="forecast-capacity", className="panel"),
        ]
    )  # fmt: skip


def metric_options(data: ForecastData) -> list[dict[str, str]]:
    return [{"label": METRIC_WORDS.get(name, name), "value": name} for name in data.metrics]


def selector_options(data: ForecastData) -> list[dict[str, str]]:
    return [{"label": selector.words, "value": str(selector) or EVERYTHING} for selector in data.selectors]


def title(data: ForecastData) -> str:
    """`Transactions per second of all traffic (calls/s)`."""
    unit = METRICS[data.metric].unit if data.metric in METRICS else ""
    return f"{METRIC_WORDS.get(data.metric, data.metric)} of {data.selector.words} ({unit_words(unit)})"


def tiles(data: ForecastData) -> list[Any]:
    """The summary's numbers."""
    return [tile(one.title, tile_value(*one.value.split(" ", 1)), one.remark) for one in data.summary]


def words(data: ForecastData) -> list[Any]:
    """Why there is no forecast, or what a reader must know before trusting one."""
    found = [notice(data.words)] if data.words else []
    if data.generated:
        found.append(notice("This forecast was learned from generated history: simulated calls, not your gateways' traffic."))
    return found


def exports(data: ForecastData) -> list[Any]:
    """Links that download the forecast."""
    links = []
    for fmt, words in FORMATS:
        query = urlencode({"metric": data.metric, "selector": str(data.selector), "format": fmt})
        links.append(
            html.A(words, href=f"/api/v1/exports/forecasts?{query}", className="button quiet", title=f"Download as {words}",
                   **extra(data_format=fmt))
        )  # fmt: skip
    return [html.Span("Export", className="label"), *links]


def about(data: ForecastData, zone: ZoneInfo) -> list[Any]:
    """Where the forecast comes from and how far it may be trusted."""
    run = data.run
    if run is None:
        return []
    trained = run.trained_to - run.trained_from
    return [
        html.H2("About this forecast"),
        facts(
            [
                ("Model", run.model),
                ("Made", when(run.made_at, zone)),
                (
                    "Learned from",
                    [when(run.trained_from, zone), " to ", when(run.trained_to, zone), f" ({format_span(trained)})"],
                ),
                ("Back-tested error", quality_words(run.error_mase)),
                ("Step", format_span(parse_duration(run.step))),
                ("Version", html.Code(run.version)),
            ]
        ),
        *_backtests(data.backtests, zone),
        html.P(
            "The dark band holds the middle half of the outcomes, the light one 90 % of them. A limit that lies in the light "
            "band is crossed in some futures but not in most.",
            className="muted",
        ),
    ]


def _backtests(tests: Sequence[ForecastBacktest], zone: ZoneInfo) -> list[Any]:
    """How the series would have been forecast in its own past, by horizon."""
    if not tests:
        return [html.P(["On your own past: not tested yet; run ", html.Code("tpscope backtest forecast"), "."])]
    head = ("ahead", "times", "error against last week's", "mean of 4 weeks", "within the 90 % band", "loss at 95 %")
    rows = [
        (
            format_span(timedelta(hours=one.horizon_h)),
            str(one.origins),
            _ratio(one.mase),
            _ratio(one.mean4_mase),
            f"{one.coverage90:.0%}",
            _ratio(one.wql95),
        )
        for one in tests
    ]
    return [
        html.H3("On your own past"),
        table(head, rows, caption="Errors of this series' forecasts in its own past", numeric=(1, 2, 3, 4, 5)),
        html.P(
            ["Below 1 is better than repeating the last week. Tested ", when(tests[0].made_at, zone), "."], className="muted"
        ),
    ]


def _ratio(value: float) -> str:
    return "unknown" if value != value else f"{value:.2f}"


def span_words(data: ForecastData, zone: ZoneInfo, now: datetime) -> list[Any]:
    """Time zone, and when this was read."""
    made = [html.Span(["made ", when(data.run.made_at, zone)])] if data.run is not None else []
    return [*made, *updated(zone, now)]
