"""The overview: its layout and its callback."""

from typing import Any

from dash import ALL, Input, Output, State, no_update

from dashboards import comparing, queries
from dashboards.catalogue import CHARTS
from dashboards.comparing import PARAMETER
from dashboards.context import Web
from dashboards.look import read_look
from dashboards.overview import OverviewData, load_overview
from dashboards.pages import overview
from dashboards.pages.controls import span_words
from dashboards.pages.words import legend, notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

PATH = "/"


def layout(web: Web, query: dict[str, str]) -> Any:
    """The page before its data, with the values that can be chosen."""
    values = attempt(lambda: _choices(web))
    return overview.layout(query, values if isinstance(values, dict) else {})


def _choices(web: Web) -> dict[str, list[Any]]:
    return {**queries.choices(web, queries.freshness(web).complete_until), PARAMETER: comparing.options(web)}


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the charts whenever the address, the reader's look or the clock asks for it."""
    count = len(CHARTS)

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        query = read_query(search)
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_overview(here, query, read_look(look)))
        if isinstance(found, str):
            words = ["Nothing to show; see the message above."] * count
            return [no_update] * count, [no_update] * count, [no_update] * count, words, [], [notice(found, tone="bad")], [], []
        return _outputs(found, query, here)

    app.callback(
        Output({"type": "graph", "chart": ALL}, "figure"),
        Output({"type": "subtitle", "chart": ALL}, "children"),
        Output({"type": "legend", "chart": ALL}, "children"),
        Output({"type": "veil", "chart": ALL}, "children"),
        Output("tiles", "children"),
        Output("overview-notes", "children"),
        Output("overview-anomalies", "children"),
        Output("overview-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("tiles", "id"),  # the page has been laid out
        State("url", "pathname"),
        optional=True,
    )(refresh)


def _outputs(data: OverviewData, query: dict[str, str], web: Web) -> Any:
    return (
        [card.figure if card.figure is not None else no_update for card in data.cards],
        [card.subtitle for card in data.cards],
        [legend(card.legend) for card in data.cards],
        [card.words for card in data.cards],
        overview.tiles(data, web.zone),
        overview.notes(data, query, web.zone),
        overview.anomaly_list(data, web.zone),
        span_words(data.window, web.zone, web.now()),
    )
