"""Connects what people do on the pages with what is read for them; thin: reading and drawing happen elsewhere, on threads.

A module a page gives its address, its layout and its callbacks; `frame` holds what stands around all of them.
"""

from typing import Any

from dashboards.context import Web
from dashboards.threads import Workers
from dashboards.wiring import (
    calls,
    clientside,
    explore,
    forecast,
    frame,
    incidents,
    llm,
    objectives,
    overview,
    pipeline,
    recommendations,
    what_if,
    zoom,
)

_PAGES = (overview, explore, llm, calls, objectives, incidents, forecast, what_if, recommendations, pipeline)


def register(app: Any, web: Web, workers: Workers) -> None:
    """Give the Dash app its callbacks."""
    clientside.register(app)
    zoom.register(app, web)
    layouts = {**{page.PATH: page.layout for page in _PAGES}, calls.CALL_PATH: calls.call_layout}
    frame.register(app, web, workers, layouts)
    for page in _PAGES:
        page.register(app, web, workers)
