"""`GET /api/v1/recommendations`, one by id, and `POST …/{id}/decision`: what could be better, and what is said of it."""

import json
import math
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.recommendations import IN_SIGHT, Effect, Recommendation, RecommendationState
from dashboards.access.caller import deed
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.cursors import page_of
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.lists import PageQuery
from dashboards.api.schemas import RecommendationsAnswer, RecommendationShape
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from storage import recommendations

_DECISIONS = {"accept": RecommendationState.ACCEPTED, "dismiss": RecommendationState.DISMISSED}


class RecommendationsQuery(PageQuery):
    all: bool = Field(False, description="Also what was dismissed or is found no more.")
    state: RecommendationState | None = Field(None, description="Those of this state alone.")


class Decision(BaseModel):
    """What somebody says of a recommendation."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["accept", "dismiss"] = Field(description="`accept`: it is done from now on. `dismiss`: it is not wanted.")
    who: str = Field(min_length=1, max_length=200, description="Who says so.")
    why: str = Field("", max_length=2000, description="The reason; `dismiss` needs one.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("recommendations")

    @routes.get("/recommendations", summary="What could be better, the largest gain first", **described(RecommendationsAnswer))
    async def list_recommendations(query: Annotated[RecommendationsQuery, Query()]) -> Response:
        found = await workers.run(recommendations.read_recommendations, web.store)
        wanted = (query.state,) if query.state else tuple(RecommendationState) if query.all else IN_SIGHT
        chosen = [one for one in found if one.state in wanted]
        page, cursor = page_of(chosen, lambda one: (-float(one.finding.gain), one.id), (float, str), query.cursor, query.limit)
        return answer({"recommendations": [_json(one) for one in page], "next_cursor": cursor})

    @routes.get("/recommendations/{recommendation_id}", summary="One recommendation", **described(RecommendationShape))
    async def show(recommendation_id: Annotated[str, Path(max_length=64)]) -> Response:
        return answer(_json(await workers.run(_one, web, recommendation_id)))

    @routes.post(
        "/recommendations/{recommendation_id}/decision",
        summary="Accept or dismiss a recommendation",
        openapi_extra=described_body(Decision),
        **described(RecommendationShape),
    )
    async def decide(recommendation_id: Annotated[str, Path(max_length=64)], request: Request) -> Response:
        asked = await json_body(request, Decision)
        made = await workers.run(decide_on, web, recommendation_id, asked)
        deed(request, recommendation=recommendation_id, decision=asked.decision, said_by=asked.who)
        return answer(made)

    return routes


def decide_on(web: Web, recommendation_id: str, asked: Decision) -> dict[str, Any]:
    """Write the decision; returns the recommendation's new form. Raises Problem."""
    if asked.decision == "dismiss" and not asked.why.strip():
        raise Problem(422, "why: say why it is not wanted, for whoever asks later.", parameter="why")
    one = _one(web, recommendation_id).decided(_DECISIONS[asked.decision], asked.who, asked.why, web.now())
    recommendations.write_recommendations(web.store, [one])
    return _json(one)


def _one(web: Web, recommendation_id: str) -> Recommendation:
    found = recommendations.read_recommendations(web.store, recommendation_id)
    if not found:
        raise Problem(404, f"There is no recommendation {recommendation_id[:40]!r}.")
    return found[0]


def _json(one: Recommendation) -> dict[str, Any]:
    finding = one.finding
    outcome = one.outcome and {
        "checked_at": utc(one.outcome.checked_at),
        "calls": one.outcome.calls,
        "measured": one.outcome.measured,
        "verdict": one.outcome.verdict,
    }
    return {
        "id": one.id,
        "rule": finding.rule,
        "selector": finding.selector.labels,
        "action": finding.action,
        "evidence": list(finding.evidence),
        "effect": _effect(finding.effect),
        "gain": finding.gain,
        "gain_of": finding.gain_of,
        "confidence": finding.confidence,
        "verify": finding.verify,
        "scenario": json.loads(finding.scenario) if finding.scenario else None,
        "from": utc(one.start),
        "to": utc(one.end),
        "found_at": utc(one.found_at),
        "state": one.state,
        "who": one.who or None,
        "why": one.why or None,
        "decided_at": utc(one.decided_at),
        "outcome": outcome,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    numbers = {name: getattr(effect, name) for name in ("before", "after", "lower", "upper")}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return {"measure": effect.measure, "of": effect.scope.labels, "unit": effect.unit, **known}
