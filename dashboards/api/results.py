"""`GET /api/v1/incidents`, `/anomalies`, `/forecasts` and `/status`: what was found, and how the service is."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.types import Anomaly, Contribution, ForecastBacktest, ForecastRun, Incident, JobState, Silence, Watermark
from dashboards import queries
from dashboards.api.answers import answer, utc
from dashboards.api.series import SpanQuery
from dashboards.context import Web
from dashboards.status import load_status
from dashboards.threads import Workers
from dashboards.window import iso, read_window
from storage import anomalies, health, incidents, learning, silences, watermarks

MAX_ROWS = 1000
MAX_LEARNING = 20
"""Selections that are named; of the others only how many they are."""


class IncidentsQuery(SpanQuery):
    state: Literal["firing", "resolved"] | None = Field(None, description="Only those that go on (`firing`), or have ended.")
    limit: int = Field(100, ge=1, le=MAX_ROWS, description="Most incidents to return.")

    def parameters(self) -> dict[str, str]:
        return {name: value for name, value in super().parameters().items() if name in ("from", "to", "last")}


class AnomaliesQuery(SpanQuery):
    open: bool = Field(False, description="Only anomalies that still last.")
    limit: int = Field(100, ge=1, le=MAX_ROWS, description="Most anomalies to return.")

    def parameters(self) -> dict[str, str]:
        return {name: value for name, value in super().parameters().items() if name in ("from", "to", "last")}


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["results"])

    @routes.get("/incidents", summary="Incidents, newest first", response_class=Response)
    async def list_incidents(query: Annotated[IncidentsQuery, Query()]) -> Response:
        return answer(await workers.run(read_incidents, web, query))

    @routes.get("/silences", summary="Silences that have not ended", response_class=Response)
    async def list_silences(_query: Annotated[NoQuery, Query()]) -> Response:
        return answer(await workers.run(list_of_silences, web))

    @routes.get("/anomalies", summary="Anomalies, newest first", response_class=Response)
    async def list_anomalies(query: Annotated[AnomaliesQuery, Query()]) -> Response:
        return answer(await workers.run(read_anomalies, web, query))

    @routes.get("/forecasts", summary="The latest forecast of each series, without its points", response_class=Response)
    async def list_forecasts(_query: Annotated[NoQuery, Query()]) -> Response:
        runs = await workers.run(queries.forecast_runs, web)
        tests = await workers.run(queries.forecast_backtests, web)
        return answer({"forecasts": [_forecast(run, tests) for run in runs]})

    @routes.get("/status", summary="Freshness, jobs, dead letters and the store", response_class=Response)
    async def status(_query: Annotated[NoQuery, Query()]) -> Response:
        return answer(await workers.run(read_status, web))

    return routes


def read_incidents(web: Web, query: IncidentsQuery) -> dict[str, Any]:
    """Incidents of a span (default: the last 30 days)."""
    window = read_window(query.parameters(), web.now(), "30d", 60)
    found = incidents.read_incidents(web.store, window.start, window.end, firing_only=query.state == "firing", limit=MAX_ROWS)
    chosen = [one for one in found if query.state is None or one.state.is_open is (query.state == "firing")][: query.limit]
    return {"from": iso(window.start), "to": iso(window.end), "incidents": [_incident(one) for one in chosen]}


def list_of_silences(web: Web) -> dict[str, Any]:
    """What people have silenced; windows of maintenance are in the configuration."""
    return {"silences": [_silence(one) for one in silences.read_silences(web.store, web.now())]}


def read_anomalies(web: Web, query: AnomaliesQuery) -> dict[str, Any]:
    """Anomalies of a span (default: the last day)."""
    window = read_window(query.parameters(), web.now(), "24h", 60)
    found = anomalies.read_anomalies(web.store, window.start, window.end, open_only=query.open)
    return {"from": iso(window.start), "to": iso(window.end), "anomalies": [_anomaly(one) for one in found[: query.limit]]}


def read_status(web: Web) -> dict[str, Any]:
    """How the service is; `tpscope status` shows it."""
    status, store = load_status(web), health.stats(web.store)
    return {
        "now": utc(status.now),
        "time_zone": web.settings.time_zone,
        "store": {
            "engine": web.store.capabilities.name,
            "version": store.version,
            "calls": store.calls,
            "bytes_on_disk": store.bytes_on_disk,
            "first_call_at": utc(store.first_ts),
            "last_call_at": utc(store.last_ts),
        },
        "data": {
            "first_minute": utc(status.freshness.first),
            "newest_minute": utc(status.freshness.newest),
            "age_s": None if status.age is None else status.age.total_seconds(),
            "fresh": status.fresh,
        },
        "learning": _learning(web),
        "dead_letters": status.dead_letters,
        "jobs": [_job(job) for job in status.jobs],
        "watermarks": [_watermark(one) for one in watermarks.read_watermarks(web.store)],
        "incidents_firing": len(status.firing),
    }


def _learning(web: Web) -> dict[str, Any]:
    """Who has too little history for a baseline; nothing of these pages."""
    found = learning.read_learning(web.store, web.now())
    series = [
        {"selector": one.selector.labels, "have_h": round(one.have_h, 1), "need_h": one.need_h} for one in found[:MAX_LEARNING]
    ]
    return {"selections": len(found), "series": series}


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "id": one.id,
        "fingerprint": one.fingerprint,
        "state": one.state,
        "severity": one.severity,
        "rule": one.rule,
        "kind": one.kind,
        "labels": dict(one.labels),
        "title": one.title,
        "summary": one.summary,
        "started_at": utc(one.started_at),
        "updated_at": utc(one.updated_at),
        "resolved_at": utc(one.resolved_at),
        "opened_at": utc(one.opened_at),
        "snoozed_until": utc(one.snoozed_until),
        "causes": [{"text": cause.text, "share": cause.share} for cause in one.causes],
        "metric": one.metric,
        "value": one.value,
        "threshold": one.threshold,
        "unit": one.unit,
        "anomaly_id": one.anomaly_id or None,
        "runbook": one.runbook or None,
    }


def _silence(one: Silence) -> dict[str, Any]:
    return {
        "id": one.id,
        "match": dict(one.match),
        "from": utc(one.starts_at),
        "until": utc(one.ends_at),
        "created_by": one.created_by,
        "comment": one.comment,
    }


def _anomaly(one: Anomaly) -> dict[str, Any]:
    return {
        "id": one.id,
        "started_at": utc(one.started_at),
        "last_at": utc(one.last_at),
        "ended_at": utc(one.ended_at),
        "metric": one.metric,
        "selector": one.selector.labels,
        "direction": one.direction,
        "score": one.score,
        "severity": one.severity,
        "observed": one.observed,
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "explanation": one.explanation,
        "contributions": [_contribution(part) for part in one.contributions],
        "model_version": one.model_version,
        "baseline_version": one.baseline_version,
        "mask_id": one.mask_id or None,
        "muted": one.muted,
    }


def _contribution(part: Contribution) -> dict[str, Any]:
    return {
        "metric": part.metric,
        "selector": part.selector.labels,
        "observed": part.observed,
        "expected": part.expected,
        "lower": part.lower,
        "upper": part.upper,
        "share": part.share,
    }


def _forecast(run: ForecastRun, tests: list[ForecastBacktest]) -> dict[str, Any]:
    """The back-tests of the same series beside it, by horizon; none where it was never back-tested."""
    own = [one for one in tests if (one.metric, one.selector) == (run.metric, run.selector)]
    return {
        "version": run.version,
        "metric": run.metric,
        "selector": run.selector.labels,
        "unit": run.unit,
        "model": run.model,
        "step": run.step,
        "made_at": utc(run.made_at),
        "trained_from": utc(run.trained_from),
        "trained_to": utc(run.trained_to),
        "error_mase": run.error_mase,
        "choice_version": run.choice_version,
        "note": run.note,
        "backtests": [
            {
                "horizon_h": one.horizon_h,
                "origins": one.origins,
                "made_at": utc(one.made_at),
                "mase": one.mase,
                "mean4_mase": one.mean4_mase,
                "wql": one.wql,
                "wql95": one.wql95,
                "coverage90": one.coverage90,
            }
            for one in own
        ],
    }


def _job(job: JobState) -> dict[str, Any]:
    return {
        "name": job.name,
        "cursor": utc(job.cursor),
        "last_success_at": utc(job.last_success_at),
        "last_error_at": utc(job.last_error_at),
        "last_error": job.last_error or None,
        "duration_s": job.duration_s,
    }


def _watermark(one: Watermark) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "partition": one.partition,
        "event_at": utc(one.event_at),
        "arrived_at": utc(one.arrived_at),
        "next_offset": one.next_offset,
        "delay_s": one.delay_s,
        "lag": one.lag,
        "batch_records": one.records,
        "attempts": one.attempts,
    }
