"""The pipeline page: its layout and its callback."""

from typing import Any

from dash import Input, Output, State

from dashboards.context import Web
from dashboards.look import read_look
from dashboards.pages import pipeline
from dashboards.pages.words import notice
from dashboards.pipeline import load_pipeline
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

PATH = pipeline.PATH


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return pipeline.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever the address, the reader's look or the clock asks for it."""

    async def refresh(search: str | None, look: Any, _ticks: Any, _there: Any, path: str) -> Any:
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_pipeline(here, read_query(search), read_look(look)))
        if isinstance(found, str):
            return notice(found, tone="bad"), []
        return pipeline.body(found, here.zone), pipeline.summary(found, here.zone, here.now())

    app.callback(
        Output("pipeline-body", "children"),
        Output("pipeline-span", "children"),
        Input("url", "search"),
        Input("look", "data"),
        Input("tick", "n_intervals"),
        Input("pipeline-body", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)
