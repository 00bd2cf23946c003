"""What went wrong, as RFC 9457 problem documents: one clear sentence that names the parameter, never a stack trace.

400: a parameter is missing, unknown or cannot be read. 404: there is no such thing. 422: readable, but it cannot be answered
(too many points, a span that ends before it begins). 503: the store does not answer; the same request may succeed later.
"""

import logging
from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core.errors import NotInstalledError, StoreError, StoreUnavailable, TpscopeError
from dashboards.window import BadWindow

logger = logging.getLogger(__name__)

_TITLES = {
    400: "Bad request",
    401: "Not authorised",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Request too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Cannot be answered",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


class Problem(Exception):
    """A request that cannot be answered; becomes a problem document."""

    def __init__(self, status: int, detail: str, *, parameter: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.headers = dict(headers or {})


def response(problem: Problem) -> Response:
    """The problem as `application/problem+json`."""
    body = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.parameter:
        body["parameter"] = problem.parameter
    return Response(orjson.dumps(body), problem.status, problem.headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem:
    """What an error means to the client. What it must not see is logged here and nowhere else."""
    match error:
        case Problem():
            return error
        case BadWindow():
            return Problem(422 if error.readable else 400, f"{error}.", parameter=error.parameter)
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return Problem(error.status_code, _http_words(error), headers=error.headers)
        case StoreUnavailable():
            logger.warning("store is not available", extra={"error": str(error)})
            return Problem(503, "The store does not answer; try again in a moment.", headers={"Retry-After": "5"})
        case StoreError():
            logger.error("store refused a question", exc_info=error)
            return Problem(500, "The store refused the question; the service's log says why.")
        case NotInstalledError():
            return Problem(422, str(error))
        case TpscopeError():
            return Problem(422, str(error))
        case _:
            logger.error("request failed", exc_info=error)
            return Problem(500, "Something went wrong here; the service's log says what.")


def install(app: FastAPI) -> None:
    """Answer every error of the app's routes with a problem document."""

    async def handle(_request: Request, error: Exception) -> Response:
        return response(problem_of(error))

    for kind in (Problem, BadWindow, RequestValidationError, HTTPException, TpscopeError):
        app.add_exception_handler(kind, handle)


def _of_validation(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    parameter = str(first["loc"][-1]) if first.get("loc") else ""
    if first["type"] == "missing":
        words = "is missing"
    elif first["type"] == "extra_forbidden":
        words = "is no parameter of this address"
    else:
        words = str(first["msg"]).removeprefix("Value error, ")
        words = words[0].lower() + words[1:]
    return Problem(400, f"{parameter}: {words}.", parameter=parameter)


def _http_words(error: HTTPException) -> str:
    return {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }.get(error.status_code, str(error.detail))
