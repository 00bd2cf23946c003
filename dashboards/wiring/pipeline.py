"""The pipeline page: its layout and its callback."""

from typing import Any

from dash import Input

from dashboards.context import Web
from dashboards.pages import pipeline
from dashboards.pipeline import load_pipeline
from dashboards.threads import Workers
from dashboards.wiring.one_body import OneBody

PATH = pipeline.PATH


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return pipeline.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever its address, the reader's look or the clock asks for it."""
    OneBody(
        path=PATH,
        load=load_pipeline,
        body=pipeline.body,
        summary=pipeline.summary,
        clock=Input("tick", "n_intervals"),
    ).register(app, web, workers)
