"""The what-if page: its layout and its callbacks."""

from typing import Any

from dash import ClientsideFunction, Input, Output, State, no_update

from dashboards.context import Web
from dashboards.pages import what_if
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.whatif.page_data import load_what_if
from dashboards.wiring.asking import attempt, offered, on_page, read_query, seen

PATH = what_if.PATH


def layout(web: Web, query: dict[str, str]) -> Any:
    """The page before its data, with the values that can be chosen."""
    return what_if.layout(query, offered(web))


def register(app: Any, web: Web, workers: Workers) -> None:
    """Show the scenario of the address and its run; asked every two seconds, and drawn anew where something has changed.

    The clock goes through a store of the browser, so that no answer is shared and kept: a run's progress would stand still.
    """
    app.clientside_callback(
        ClientsideFunction("tpscope", "beat"), Output("what-if-beat", "data"), Input("what-if-clock", "n_intervals")
    )

    async def refresh(search: str | None, look: Any, _beat: Any, _there: Any, shown: str | None, path: str) -> Any:
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_what_if(here, read_query(search)))
        if isinstance(found, str):
            return notice(found, tone="bad"), [], found
        version = f"{here.zone.key}|{found.version}"
        if version == shown:
            return no_update, no_update, no_update
        return what_if.body(found, here.zone), what_if.summary(found, here.zone, here.now()), version

    app.callback(
        Output("what-if-body", "children"),
        Output("what-if-span", "children"),
        Output("what-if-shown", "data"),
        Input("url", "search"),
        Input("look", "data"),
        Input("what-if-beat", "data"),
        Input("what-if-body", "id"),
        State("what-if-shown", "data"),
        State("url", "pathname"),
        optional=True,
    )(refresh)
