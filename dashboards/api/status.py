"""`GET /api/v1/status`: how the service is."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from core.types import JobState, Watermark
from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described
from dashboards.api.questions import NoQuery
from dashboards.api.schemas import OpenAnswer
from dashboards.context import Web
from dashboards.status import load_status
from dashboards.threads import Workers
from storage import health, learning, watermarks

MAX_LEARNING = 20
"""Selections that are named; of the others only how many they are."""


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/status", summary="Freshness, jobs, dead letters and the store", **described(OpenAnswer))
    async def status(_query: Annotated[NoQuery, Query()]) -> Response:
        return answer(await workers.run(read_status, web))

    return routes


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
