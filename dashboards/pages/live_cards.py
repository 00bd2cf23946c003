"""Cards whose title, unit and file follow the address: one callback of their page fills them all."""

from collections.abc import Sequence
from typing import Any

from dash import ALL, Output, dcc, html, no_update

from dashboards.cards import Card
from dashboards.pages.cards import GRAPH_CONFIG
from dashboards.pages.words import legend

PARTS: tuple[tuple[str, str], ...] = (
    ("card-title", "children"),
    ("card-subtitle", "children"),
    ("card-file", "href"),
    ("card-legend", "children"),
    ("chart", "figure"),
    ("card-veil", "children"),
)


def card(page: str, name: str, title: str, *, tall: bool = False) -> Any:
    """A card before its data; `name` is unique in the page."""

    def part(kind: str) -> dict[str, str]:
        return {"type": kind, "page": page, "chart": name}

    graph = dcc.Graph(id=part("chart"), config=GRAPH_CONFIG, className="graph tall" if tall else "graph")
    return html.Section(
        [
            html.Div(
                [
                    html.Div([html.H2(title, id=part("card-title")), html.Div(id=part("card-subtitle"), className="muted")]),
                    html.A("CSV", id=part("card-file"), href="#", className="button quiet csv", title="Download as CSV"),
                ],
                className="card-head",
            ),
            html.Div(id=part("card-legend"), className="legend"),
            html.Div([graph, html.Div("Loading …", id=part("card-veil"), className="veil")], className="stage"),
        ],
        className="card",
    )


def outputs(page: str) -> list[Output]:
    """What a callback fills of all cards of a page."""
    return [Output({"type": kind, "page": page, "chart": ALL}, prop) for kind, prop in PARTS]


def values(cards: Sequence[Card]) -> list[list[Any]]:
    """The cards' parts, in the order of `outputs`; a chart without a figure keeps the former one, behind the words."""
    return [
        [one.title for one in cards],
        [one.subtitle for one in cards],
        [one.file for one in cards],
        [legend(one.legend) for one in cards],
        [no_update if one.figure is None else one.figure for one in cards],
        [one.words for one in cards],
    ]


def unreadable(count: int) -> list[list[Any]]:
    """The same where the whole page could not be read, and says so elsewhere."""
    kept = [[no_update] * count for _ in PARTS[:-1]]
    return [*kept, ["Nothing to show; see the message above."] * count]
