"""The objectives page: its layout and its callback."""

from typing import Any

from dash import ALL, Input

from dashboards.context import Web
from dashboards.objectives_page import load_objectives
from dashboards.pages import objectives
from dashboards.threads import Workers
from dashboards.wiring.one_body import OneBody

PATH = objectives.PATH


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return objectives.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever its address, the reader's look or the clock asks for it."""
    OneBody(
        path=PATH,
        load=load_objectives,
        body=objectives.body,
        summary=objectives.summary,
        clock=Input({"type": "slow-tick", "page": ALL}, "n_intervals"),
    ).register(app, web, workers)
