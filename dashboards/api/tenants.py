"""`POST /internal/v1/tenants/delete` and `GET /internal/v1/tenants/deletions`: one tenant's data, for good.

Behind the owner's token, as everything under `/internal/`. A deletion takes longer than a request may: it goes on by itself,
one at a time, and the audit says when it is done.
"""

import logging
import threading
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.errors import TpscopeError
from dashboards.api.answers import answer, utc
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from storage import remote
from storage.audit import read_audit
from storage.tenants import delete_tenant, traces_of

logger = logging.getLogger(__name__)

_STOP_S = 10.0


class DeletionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tenant: str = Field(min_length=1, max_length=512, description="The tenant, as the calls name it.")
    actor: str = Field("api", min_length=1, max_length=200, description="Who asks for it; the audit keeps this.")


class Deletions:
    """Runs one deletion at a time, on a thread of its own, until the application ends.

    A deletion that the end cuts short is carried on by asking for it again.
    """

    def __init__(self, web: Web) -> None:
        self._web = web
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, request: DeletionRequest) -> dict[str, Any]:
        """Begin to delete; returns what there is. Raises Problem for a name that cannot be, and while another one goes on."""
        try:
            traces = traces_of(self._web.store, request.tenant)
        except ValueError as error:
            raise Problem(400, f"tenant: {error}.", parameter="tenant") from None
        if not traces.any:
            raise Problem(404, f"Nothing is kept of a tenant {request.tenant!r}.", parameter="tenant")
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise Problem(409, "Another deletion goes on; GET /internal/v1/tenants/deletions says when it is done.")
            self._thread = threading.Thread(target=self._run, args=(request,), name="tpscope-tenant-deletion")
            self._thread.start()
        return {"tenant": request.tenant, "calls": traces.calls, "state": "started"}

    def events(self) -> list[dict[str, Any]]:
        """The newest notes of the audit about deletions."""
        found = [one for one in read_audit(self._web.store, 200) if one.action.startswith("tenant.delete.")]
        return [
            {"at": utc(one.at), "actor": one.actor, "action": one.action, "tenant": one.subject, "detail": one.detail}
            for one in found
        ]

    def close(self) -> None:
        """End a deletion at its next step."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _run(self, request: DeletionRequest) -> None:
        try:
            deletion = delete_tenant(
                self._web.store, request.tenant, actor=request.actor, now=self._web.now(), wait=self._wait, progress=self._step
            )
        except TpscopeError as error:
            logger.error("deleting a tenant failed, ask for it again: %s", error)
        except _Stopped:
            logger.warning("deleting a tenant was cut short, ask for it again")
        except Exception:
            logger.exception("deleting a tenant failed, ask for it again")
        else:
            logger.info("a tenant's data was deleted: complete=%s, hours made anew=%d", deletion.complete, deletion.hours)

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped

    def _step(self, step: str) -> None:
        logger.info("deleting a tenant: %s", step)
        if self._stop.is_set():
            raise _Stopped


class _Stopped(Exception):
    """The application ends."""


def router(deletions: Deletions, workers: Workers, token: str) -> APIRouter:
    routes = APIRouter(prefix=remote.PATH.rstrip("/") + "/tenants", include_in_schema=False)

    def check(request: Request) -> None:
        if not remote.authorised(request.headers.get("authorization"), token):
            raise Problem(401, "The token is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})

    @routes.post("/delete", response_class=Response)
    async def delete(request: Request) -> Response:
        check(request)
        try:
            asked = DeletionRequest.model_validate_json(await request.body())
        except ValueError:
            raise Problem(400, "The body must be JSON with `tenant` and, if you like, `actor`.") from None
        return answer(await workers.run(deletions.begin, asked), 202)

    @routes.get("/deletions", response_class=Response)
    async def list_deletions(request: Request) -> Response:
        check(request)
        return answer({"deletions": await workers.run(deletions.events)})

    return routes
