"""The explore page: its layout and its callback."""

from typing import Any

from dash import Input, Output, State
from dash.exceptions import PreventUpdate

from dashboards.context import Web
from dashboards.explore.asked import PATH
from dashboards.explore.drawing import CHARTS
from dashboards.explore.page_data import ExploreData, load_explore
from dashboards.look import read_look
from dashboards.pages import explore, live_cards
from dashboards.pages.controls import span_words
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, offered, on_page, only_ticked, read_query, seen

__all__ = ["PATH", "layout", "register"]


def layout(web: Web, query: dict[str, str]) -> Any:
    """The page before its data, with the values that can be chosen."""
    return explore.layout(query, offered(web))


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever the address, the reader's look or the clock asks for it."""

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        query = read_query(search)
        on_page(path, PATH, look)
        if only_ticked() and "from" in query and "to" in query:
            raise PreventUpdate  # a window that stands still
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_explore(here, query, read_look(look)))
        if isinstance(found, str):
            return (*live_cards.unreadable(len(CHARTS)), [], [notice(found, tone="bad")], [])
        return (*live_cards.values(found.cards), *_texts(found, here))

    app.callback(
        *live_cards.outputs(explore.PAGE),
        Output("explore-table", "children"),
        Output("explore-notes", "children"),
        Output("explore-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("explore-table", "id"),  # the page has been laid out
        State("url", "pathname"),
        optional=True,
    )(refresh)


def _texts(data: ExploreData, web: Web) -> tuple[Any, ...]:
    words = span_words(data.asked.window, web.zone, web.now())
    return explore.table_section(data), explore.notes(data), [*words, explore.freshness_words(data.until, web.zone)]
