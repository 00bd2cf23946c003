"""The recommendations page: its layout and its callback."""

from typing import Any

from dash import Input

from dashboards.context import Web
from dashboards.pages import recommendations
from dashboards.recommendations_page import load_recommendations
from dashboards.threads import Workers
from dashboards.wiring.one_body import OneBody

PATH = recommendations.PATH


def layout(_web: Web, query: dict[str, str]) -> Any:
    """The page before its data."""
    return recommendations.layout(query)


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever its address, the reader's look, a decision or the clock asks for it."""
    OneBody(
        path=PATH,
        load=load_recommendations,
        body=recommendations.body,
        summary=recommendations.summary,
        clock=Input("tick", "n_intervals"),
    ).register(app, web, workers)
