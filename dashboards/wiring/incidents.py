"""The incidents page: its layout and its callback."""

from typing import Any

from dash import Input, Output, State

from dashboards import queries
from dashboards.context import Web
from dashboards.incidents import load_incidents
from dashboards.look import read_look
from dashboards.pages import incidents
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

PATH = "/incidents"


def layout(web: Web, query: dict[str, str]) -> Any:
    """The page before its data, with the values that can be chosen."""
    values = attempt(lambda: queries.choices(web, queries.freshness(web).complete_until))
    return incidents.layout(query, values if isinstance(values, dict) else {})


def register(app: Any, web: Web, workers: Workers) -> None:
    """Read the list and the opened incident whenever the address, the reader's look or the clock asks for it."""

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_incidents(here, read_query(search), read_look(look)))
        if isinstance(found, str):
            return notice(found, tone="bad"), [], [], [], []
        return (
            incidents.listing(found, here.zone),
            incidents.detail(found, here.zone),
            incidents.summary(found, here.zone),
            incidents.what_happened(found),
            incidents.anomaly_list(found, here.zone),
        )

    app.callback(
        Output("incidents-list", "children"),
        Output("incident-detail", "children"),
        Output("incidents-span", "children"),
        Output("incidents-timeline", "children"),
        Output("incidents-anomalies", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("incidents-list", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)
