"""`/api/v1/incidents`: what fires, how it went, and what people say of it."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.access import Principal
from core.types import Action, Incident, IncidentAction, Notification
from dashboards import queries
from dashboards.access.caller import Who, deed
from dashboards.access.rows import sees
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.cursors import newest_page
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.lists import MOST_LISTED, ListQuery
from dashboards.api.schemas import ActionAnswer, IncidentAnswer, IncidentsAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import iso, read_span, read_window
from storage.incidents import incident_history, read_incidents
from storage.silences import write_actions

SNOOZE = "1h"
_LONGEST_SNOOZE = timedelta(days=7)
_BY_API = "api"

IncidentId = Annotated[str, Path(max_length=64)]


class IncidentsQuery(ListQuery):
    state: Literal["firing", "resolved"] | None = Field(None, description="Only those that go on (`firing`), or have ended.")


class NewAction(BaseModel):
    """What is said of an incident."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    action: Action = Field(description="`acknowledge` and `expected` end the repeats, `snooze` for a while.")
    for_: str = Field(SNOOZE, alias="for", max_length=32, description="How long a snooze lasts: `30m`, `2h`.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/incidents", summary="Incidents, newest first", **described(IncidentsAnswer))
    async def list_incidents(query: Annotated[IncidentsQuery, Query()], who: Who) -> Response:
        return answer(await workers.run(list_of, web, query, who))

    @routes.get("/incidents/{incident_id}", summary="One incident, how it went and who was told", **described(IncidentAnswer))
    async def one_incident(incident_id: IncidentId, who: Who) -> Response:
        return answer(await workers.run(one_of, web, incident_id, who))

    @routes.post(
        "/incidents/{incident_id}/actions",
        summary="Acknowledge, snooze or explain an incident",
        openapi_extra=described_body(NewAction),
        **described(ActionAnswer, 201, "It is noted; the job that judges takes it up at its next run."),
    )
    async def act(incident_id: IncidentId, request: Request, who: Who) -> Response:
        asked = await json_body(request, NewAction)
        deed(request, action=asked.action.value)
        return answer(await workers.run(acted, web, incident_id, asked, who), 201)

    return routes


def list_of(web: Web, query: IncidentsQuery, who: Principal) -> dict[str, Any]:
    """Incidents of a span (default: the last 30 days)."""
    window = read_window(query.span(), web.now(), "30d", 60)
    firing = query.state == "firing"
    found = read_incidents(web.store, window.start, window.end, firing_only=firing, limit=MOST_LISTED)
    chosen = [one for one in found if sees(who, one.labels) and (query.state is None or one.state.is_open is firing)]
    page, cursor = newest_page(chosen, lambda one: one.started_at, lambda one: one.id, query.cursor, query.limit)
    shown = [shape(within(who, one)) for one in page]
    return {"from": iso(window.start), "to": iso(window.end), "incidents": shown, "next_cursor": cursor}


def one_of(web: Web, incident_id: str, who: Principal) -> dict[str, Any]:
    """Raises Problem for an id that is not there, or that this caller does not see: nobody learns which."""
    history = _history(web, incident_id, who)
    messages = queries.notifications_of(web, incident_id)
    return {
        "incident": shape(within(who, history[-1])),
        "history": [
            {"at": utc(one.updated_at), "state": one.state.value, "severity": one.severity.value, "value": one.value}
            for one in history
        ],
        "messages": [] if who.tenants else [_message(one) for one in messages],
    }


def acted(web: Web, incident_id: str, asked: NewAction, who: Principal) -> dict[str, Any]:
    """Note what is said; returns it. Raises Problem for an incident that is over or not there, and BadWindow."""
    latest = _history(web, incident_id, who)[-1]
    if not latest.state.is_open:
        raise Problem(409, f"Incident {incident_id!r} is {latest.state.value}; there is nothing to say of it any more.")
    now = web.now()
    until = now + read_span("for", asked.for_, most=_LONGEST_SNOOZE) if asked.action is Action.SNOOZE else None
    said = IncidentAction(
        id=f"{_BY_API}-{secrets.token_hex(12)}",
        incident_id=incident_id,
        action=asked.action,
        receiver=_BY_API,
        at=now,
        until=until,
    )
    write_actions(web.store, [said])
    return {
        "id": said.id,
        "incident_id": incident_id,
        "action": said.action.value,
        "at": utc(now),
        "until": utc(until),
        "who": who.name,
    }


def within(who: Principal, one: Incident) -> Incident:
    """The incident without words and causes that may name other tenants."""
    return replace(one, summary="", causes=()) if who.tenants else one


def shape(one: Incident) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "id": one.id,
        "fingerprint": one.fingerprint,
        "state": one.state.value,
        "severity": one.severity.value,
        "rule": one.rule,
        "kind": one.kind,
        "labels": dict(one.labels),
        "title": one.title,
        "summary": one.summary or None,
        "started_at": utc(one.started_at),
        "opened_at": utc(one.opened_at),
        "updated_at": utc(one.updated_at),
        "resolved_at": utc(one.resolved_at),
        "snoozed_until": utc(one.snoozed_until),
        "causes": [{"text": cause.text, "share": cause.share} for cause in one.causes],
        "metric": one.metric,
        "value": one.value,
        "threshold": one.threshold,
        "unit": one.unit,
        "anomaly_id": one.anomaly_id or None,
        "runbook": one.runbook or None,
    }


def _history(web: Web, incident_id: str, who: Principal) -> list[Incident]:
    history = incident_history(web.store, incident_id)
    if not history or not sees(who, history[-1].labels):
        raise Problem(404, f"There is no incident {incident_id!r}.")
    return history


def _message(one: Notification) -> dict[str, Any]:
    return {
        "id": one.id,
        "receiver": one.receiver,
        "reason": one.reason.value,
        "state": one.state.value,
        "created_at": utc(one.created_at),
        "updated_at": utc(one.updated_at),
        "attempts": one.attempts,
        "error": one.error or None,
    }
