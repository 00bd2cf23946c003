"""The web application: FastAPI with the API's routes, and Dash mounted on it for the pages.

Known limits of Dash 4.4 on FastAPI: callbacks that are plain functions block the event loop, so ours are coroutines that work
on threads; assets are only found once `_setup_server` ran, which Dash does at the first request of `/`, so it is called here;
an index page can only be made while Dash knows the request, so that is set for the pages' routes here.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from dash import Dash
from dash.backends._fastapi import reset_current_request, set_current_request
from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.clock import Clock
from core.config import Settings
from core.posting import CallSink
from core.predicting import Predictor
from dashboards import page_files, problems, review_pages, wiring
from dashboards.access import pages as access_pages
from dashboards.access.directory import Directory
from dashboards.access.gate import AccessGate
from dashboards.access.identify import Identifier
from dashboards.api import (
    acting,
    anomalies,
    audit,
    baselines,
    calls,
    capacity,
    changes,
    docs,
    exports,
    forecasts,
    health,
    incidents,
    internal,
    masks,
    objectives,
    posting,
    prometheus,
    recommendations,
    reviews,
    series,
    silences,
    status,
    tenants,
    what_if,
)
from dashboards.api.documented import describe_tokens
from dashboards.context import Web
from dashboards.guard import INTERNAL, Guard, content_security_policy
from dashboards.hosts import AllowedHosts
from dashboards.page_answers import PageAnswers
from dashboards.pages import shell
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.whatif.runs import WhatIfRuns
from storage.contract import Store

logger = logging.getLogger(__name__)

API_TITLE = "tpscope"
_PARTS = (
    health.router,
    series.router,
    calls.router,
    anomalies.router,
    incidents.router,
    forecasts.router,
    objectives.router,
    baselines.router,
    silences.router,
    masks.router,
    recommendations.router,
    reviews.router,
    changes.router,
    capacity.router,
    status.router,
    exports.router,
    prometheus.router,
    audit.router,
    acting.router,
    page_files.router,
    review_pages.router,
)

ANSWER_MARGIN = timedelta(seconds=5)
"""How much longer than the store's time limit a request may take."""


def create_app(
    store: Store,
    settings: Settings,
    clock: Clock,
    *,
    token: str | None,
    sink: CallSink | None = None,
    predictor: Predictor | None = None,
) -> FastAPI:
    """The application: pages, API, probes, with a `token` the owner's API that other commands use, with a `sink` POST of calls.

    With a `predictor` scenarios are replayed in the background.

    Owns nothing but its threads, which end with the application; the store is closed by whoever opened it.
    """
    runs = None if predictor is None else WhatIfRuns(predictor, clock)
    web = Web(store=store, settings=settings, clock=clock, whatif=runs)
    workers = Workers()
    deletions = tenants.Deletions(web)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        deletions.close()
        web.close()

    directory = Directory(store, settings.web, clock)
    identifier = Identifier(settings.web, directory)
    # FastAPI's own documentation loads its scripts from other hosts; ours is in `api/docs.py`.
    app = FastAPI(
        title=API_TITLE,
        version=metadata.version("tpscope"),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
    )
    describe_tokens(app)
    problems.install(app)
    app.include_router(access_pages.router(web, workers, directory, identifier))
    app.include_router(docs.router())
    for part in _PARTS:
        app.include_router(part(web, workers))
    if runs is not None:
        app.include_router(what_if.router(runs, workers))
    if sink is not None:
        app.include_router(posting.router(sink, workers))
    if token is not None:
        app.include_router(tenants.router(deletions, workers, token))
        app.include_router(internal.router(web, workers, token))
    dash = _pages(app, web, workers)
    _page_routes(app, dash)
    app.add_middleware(PageCompression)
    app.add_middleware(PageAnswers)  # outside of it: what is kept has been compressed
    app.add_middleware(AccessGate, web=web, workers=workers, identifier=identifier)
    policy = content_security_policy(list(dash.csp_hashes()))
    app.add_middleware(
        Guard,
        hosts=AllowedHosts(settings.web),
        limit=settings.store.query_timeout + ANSWER_MARGIN,
        policy=lambda: policy,
    )
    return app


def _pages(app: FastAPI, web: Web, workers: Workers) -> Any:
    make: Any = Dash  # its annotations know Flask only
    dash = make(
        "dashboards",
        server=app,
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"early\.js",
        index_string=shell.INDEX,
        title="tpscope",
        update_title=None,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        use_pages=False,
        serve_locally=True,
        on_error=lambda error: logger.error("callback failed", exc_info=error),
    )
    dash.backend.websocket_capability = False  # else every page opens a WebSocket that nothing uses
    dash.layout = partial(shell.layout, account=web.settings.web.login_needed, zone=web.settings.time_zone)
    wiring.register(dash, web, workers)
    dash._setup_server()
    return dash


def _page_routes(app: FastAPI, dash: Any) -> None:
    """The pages beside `/`, and the answer to every address that leads nowhere. After these, Dash's own catch-all is silent."""

    enter: Any = set_current_request
    leave: Any = reset_current_request

    def index(request: Request, status: int) -> Response:
        token = enter(request)
        try:
            return Response(dash.index(), status, media_type="text/html")
        finally:
            leave(token)

    async def page(request: Request) -> Response:
        return index(request, 200)

    async def nowhere(request: Request) -> Response:
        if request.url.path.startswith(("/api/", "/internal/")) or "text/html" not in request.headers.get("accept", ""):
            raise Problem(404, "There is nothing at this address.")
        return index(request, 404)

    for path in (*(path for path, _ in shell.PAGES), *shell.LEAVES):
        if path != "/":
            app.add_api_route(path, page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/{path:path}", nowhere, methods=["GET"], include_in_schema=False)


class PageCompression:
    """gzip for pages and the API, but not for what other commands on this machine fetch: there it only costs time."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=1000, compresslevel=4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["type"] != "http" or scope["path"].startswith(INTERNAL)
        await (self._plain if plain else self._compressed)(scope, receive, send)
