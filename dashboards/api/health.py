"""`/healthz`, `/readyz` and `/metrics`, for what runs and watches the service."""

from datetime import timedelta

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.responses import Response

from core.access import Scope
from core.errors import StoreError, StoreUnavailable
from core.types import JobState
from dashboards.access.caller import Who
from dashboards.api.answers import answer, utc
from dashboards.api.documented import PROBLEMS
from dashboards.context import Web
from dashboards.status import PERIODIC
from dashboards.threads import Workers
from storage import health, jobs
from storage.migrate import pending_migrations

LATE = timedelta(minutes=10)
"""A job of every minute that has not succeeded for so long is late."""

OPEN: dict[str, list[str]] = {"security": []}
"""What the API's description says of a route that needs no token."""


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Whether the process is alive", response_class=Response, openapi_extra=OPEN)
    async def healthz() -> Response:
        return answer({"status": "ok"})

    @routes.get(
        "/readyz",
        summary="Whether the store answers, its schema is current and the jobs run",
        response_class=Response,
        openapi_extra=OPEN,
    )
    async def readyz(who: Who) -> Response:
        """Why it is not is told to those who may read."""
        reasons = await workers.run(reasons_not_ready, web)
        body: dict[str, object] = {"status": "ready" if not reasons else "not ready", "at": utc(web.now())}
        if who.may(Scope.READ) and not who.tenants:
            body["reasons"] = reasons
        return answer(body, 200 if not reasons else 503)

    @routes.get("/metrics", summary="Metrics about tpscope itself, for Prometheus", response_class=Response, responses=PROBLEMS)
    async def metrics() -> Response:
        return Response(await workers.run(generate_latest, REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return routes


def reasons_not_ready(web: Web) -> list[str]:
    """One sentence for each thing that is not as it should be; empty: ready."""
    try:
        health.ping(web.store)
        obstacle = health.write_obstacle(web.store)
        waiting = pending_migrations(web.store)
        states = jobs.read_jobs(web.store)
    except StoreUnavailable:
        return ["the store does not answer"]
    except StoreError as error:
        return [f"the store refuses to answer: {error}"]
    reasons = [obstacle] if obstacle else []
    reasons += [f"migration {name} has not been applied" for name in waiting]
    return reasons + [words for job in states if (words := lateness(job, web))]


def lateness(job: JobState, web: Web) -> str:
    """In words, when a job is late; empty when it is not. A job that never ran is not late: its first run may be due yet."""
    if not expected(job.name, web):
        return ""
    now, allowed = web.now(), allowance(job.name, web)
    if job.last_success_at is None:
        return f"job {job.name} has failed since it was started: {job.last_error[:200]}" if job.last_error_at else ""
    if now - job.last_success_at > allowed:
        return f"job {job.name} has not succeeded since {utc(job.last_success_at)}"
    return ""


def expected(name: str, web: Web) -> bool:
    """Whether this job runs by the clock and the settings ask for it; one that was turned off stays behind for ever."""
    detection, forecast = web.settings.detection.enabled, web.settings.forecast.enabled
    wanted = {
        "detection": detection,
        "baselines": detection,
        "forecasts": forecast,
        "transactions": bool(web.settings.transactions),
    }
    return name in PERIODIC and wanted.get(name, True)


def allowance(name: str, web: Web) -> timedelta:
    """How long ago a job's last success may be: twice its interval, ten minutes at least."""
    every = {
        "forecasts": web.settings.forecast.every,
        "baselines": web.settings.detection.rebuild_every,
        "hours": timedelta(hours=1),
    }
    return max(2 * every.get(name, timedelta(0)), LATE)
