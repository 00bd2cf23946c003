"""The objectives page: its layout and its callback."""

from typing import Any

from dash import ALL, Input, Output, State

from dashboards.context import Web
from dashboards.look import read_look
from dashboards.objectives_page import load_objectives
from dashboards.pages import objectives
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

PATH = objectives.PATH


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return objectives.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever the address, the reader's look or the slow clock asks for it."""

    async def refresh(search: str | None, look: Any, _ticks: Any, _there: Any, path: str) -> Any:
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_objectives(here, read_query(search), read_look(look)))
        if isinstance(found, str):
            return notice(found, tone="bad"), []
        return objectives.body(found, here.zone), objectives.summary(found, here.zone, here.now())

    app.callback(
        Output("objectives-body", "children"),
        Output("objectives-span", "children"),
        Input("url", "search"),
        Input("look", "data"),
        Input({"type": "slow-tick", "page": ALL}, "n_intervals"),
        Input("objectives-body", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)
