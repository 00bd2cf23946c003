"""The pages of single calls: the list and one call."""

from typing import Any

from dash import Input, Output, State
from dash.exceptions import PreventUpdate

from dashboards.calls import CALL_PATH, PATH, load_call, load_calls
from dashboards.context import Web
from dashboards.pages import calls
from dashboards.pages.controls import span_words
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, offered, on_page, only_ticked, read_query, seen

__all__ = ["CALL_PATH", "PATH", "call_layout", "layout", "register"]


def layout(web: Web, query: dict[str, str]) -> Any:
    """The list before its calls, with the values that can be chosen."""
    return calls.layout(query, offered(web))


def call_layout(_web: Web, _query: dict[str, str]) -> Any:
    """One call before its fields."""
    return calls.call_layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Read the page that the address names; the first page of the newest follows the clock."""

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        query = read_query(search)
        on_page(path, PATH, look)
        if only_ticked() and ({"from", "after", "sort"} & query.keys()):
            raise PreventUpdate  # what somebody reads may not move
        found = await workers.run(attempt, lambda: load_calls(web, query))
        if isinstance(found, str):
            return notice(found, tone="bad"), [], []
        zone = seen(web, look).zone
        return calls.listing(found, zone), calls.notes(found), span_words(found.window, zone, web.now())

    app.callback(
        Output("calls-list", "children"),
        Output("calls-notes", "children"),
        Output("calls-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("calls-list", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)

    async def one(search: str | None, look: Any, _there: Any, path: str) -> Any:
        on_page(path, CALL_PATH, look)
        found = await workers.run(attempt, lambda: load_call(web, read_query(search)))
        return notice(found, tone="bad") if isinstance(found, str) else calls.one_call(found, seen(web, look).zone)

    app.callback(
        Output("call-body", "children"),
        Input("url", "search"),
        Input("look", "data"),
        Input("call-body", "id"),
        State("url", "pathname"),
        optional=True,
    )(one)
