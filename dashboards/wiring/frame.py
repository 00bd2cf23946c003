"""The frame around the pages: which page an address leads to, the status line and the footer."""

from collections.abc import Callable, Mapping
from typing import Any

from dash import Input, Output, State, html, no_update

from dashboards.context import Web
from dashboards.pages import shell
from dashboards.pages.status import status_foot, status_line
from dashboards.status import load_status
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, page_of, read_query, seen

Layout = Callable[[Web, dict[str, str]], Any]
"""A page before its data, for the query of its address. Runs on a thread: it may ask the store."""


def register(app: Any, web: Web, workers: Workers, layouts: Mapping[str, Layout]) -> None:
    """Lay out the page that the address names, one of `layouts`, and keep the frame up to date."""

    async def page(path: str | None, search: str | None) -> Any:
        layout = layouts.get(page_of(path))
        return shell.missing(path or "") if layout is None else await workers.run(layout, web, read_query(search))

    app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))(page)

    async def status(_ticks: int | None, look: Any) -> Any:
        found = await workers.run(attempt, lambda: load_status(web))
        if isinstance(found, str):
            return html.Span("The store does not answer", className="verdict verdict-bad"), no_update
        zone = seen(web, look).zone
        return status_line(found, zone), status_foot(found, zone)

    app.callback(Output("status", "children"), Output("foot", "children"), Input("tick", "n_intervals"), Input("look", "data"))(
        status
    )
