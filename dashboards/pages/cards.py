"""A chart on a page: its heading with the unit, its legend, its figure, and words where there is no figure."""

from typing import Any

from dash import dcc, html

from dashboards.pages.words import extra

GRAPH_CONFIG: Any = {
    "displayModeBar": False,
    "displaylogo": False,
    "responsive": True,
    "doubleClick": "reset",
    "showTips": False,
}


def card(chart_id: str, title: str) -> Any:
    """A chart before its data. Callbacks fill `{type, chart}` of `subtitle`, `legend`, `graph` and `veil`."""
    return html.Section(
        [
            html.Div(
                [
                    html.H2(title),
                    html.Div(
                        [html.Span(id={"type": "subtitle", "chart": chart_id}, className="muted"), csv_button()],
                        className="card-tools",
                    ),
                ],
                className="card-head",
            ),
            html.Div(id={"type": "legend", "chart": chart_id}, className="legend"),
            html.Div(
                [
                    dcc.Graph(id={"type": "graph", "chart": chart_id}, config=GRAPH_CONFIG, className="graph"),
                    html.Div("Loading …", id={"type": "veil", "chart": chart_id}, className="veil"),
                ],
                className="stage",
            ),
        ],
        className="card",
    )


def drawn(page: str, chart_id: str, title: str, figure: Any, legend: list[Any], *, remark: str = "") -> Any:
    """A chart whose figure is known when its part of the page is made."""
    return html.Section(
        [
            html.Div(
                [html.H2(title), html.Div([html.Span(remark, className="muted"), csv_button()], className="card-tools")],
                className="card-head",
            ),
            html.Div(legend, className="legend"),
            dcc.Graph(
                id={"type": "chart", "page": page, "chart": chart_id}, figure=figure, config=GRAPH_CONFIG, className="graph"
            ),
        ],
        className="card",
    )


def csv_button() -> Any:
    """Writes what the chart of its card shows into a file; `assets/tpscope.js` does it."""
    return html.Button("CSV", className="button quiet csv", title="Download what this chart shows", **extra(data_csv="card"))
