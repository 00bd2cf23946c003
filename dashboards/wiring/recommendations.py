"""The recommendations page: its layout and its callback."""

from typing import Any

from dash import Input

from dashboards.context import Web
from dashboards.pages import recommendations
from dashboards.recommended import load_recommended
from dashboards.threads import Workers
from dashboards.wiring.one_body import OneBody

PATH = recommendations.PATH


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return recommendations.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever its address or the clock asks for it, and after somebody has decided."""
    OneBody(
        path=PATH,
        load=load_recommended,
        body=recommendations.body,
        summary=recommendations.summary,
        clock=Input("tick", "n_intervals"),
    ).register(app, web, workers)
