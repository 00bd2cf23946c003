"""`/api/docs`: the API's documentation, to read and to try, from this host alone (Swagger UI's files come with a wheel)."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from dashboards.problems import Problem

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · tpscope</title><link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
<link rel="stylesheet" href="/api/docs/swagger-ui.css"></head>
<body><div id="docs"></div><script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script></body></html>"""
_START = """// Begins Swagger UI on our own description; with a login, actions carry what proves that they come from here.
(async function () {
    "use strict";
    var session = {};
    try { session = await (await fetch("/api/v1/session")).json(); } catch (error) { session = {}; }
    window.SwaggerUIBundle({
        url: "/api/v1/openapi.json",
        dom_id: "#docs",
        deepLinking: true,
        validatorUrl: null,
        requestInterceptor: function (request) {
            if (session.csrf_token) { request.headers["X-CSRF-Token"] = session.csrf_token; }
            return request;
        },
    });
})();
"""
_VENDORED = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_LASTING = {"Cache-Control": "private, max-age=86400"}


def router() -> APIRouter:
    routes = APIRouter(prefix="/api/docs", include_in_schema=False)

    @routes.get("")
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @routes.get("/{name}")
    async def file(name: str) -> Response:
        if name == "start.js":
            return Response(_START, media_type="text/javascript", headers=_LASTING)
        if name not in _VENDORED:
            raise Problem(404, "There is nothing at this address.")
        content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
        return Response(content, media_type=_VENDORED[name], headers=_LASTING)

    return routes
