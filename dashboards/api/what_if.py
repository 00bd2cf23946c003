"""`POST /api/v1/what-if`, `GET …/{id}`, `POST …/{id}/cancel`: a scenario replayed over logged calls, in the background."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from core.access import Principal
from core.whatif import WhatIf
from core.whatif_text import scenario_json, scenario_yaml
from dashboards.access.caller import Who, deed
from dashboards.access.rows import narrowed, sees
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.schemas import WhatIfShape
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.whatif.runs import Run, TooManyRuns, WhatIfRuns
from render.prediction_json import prediction_json

MOST_CHANGES = 8
"""Changes of one kind: each is a pass over all calls, which nothing interrupts."""
_RETRY_S = 10

RunId = Annotated[str, Path(max_length=64)]


def router(runs: WhatIfRuns, workers: Workers) -> APIRouter:
    routes = api_router("what-if")

    @routes.post(
        "/what-if",
        summary="Replay a scenario over logged calls",
        openapi_extra=described_body(WhatIf),
        **described(WhatIfShape, 202, "It is under way; ask again for the answer."),
    )
    async def ask(request: Request, who: Who) -> Response:
        """The body is the file of `tpscope whatif`, as JSON. One replay goes on at a time, few wait, each has two minutes."""
        scenario = within(who, await json_body(request, WhatIf))
        run = begin(runs, scenario)
        deed(request, run=run.id, scenario=scenario.name[:200])
        return answer(run_json(run), 202)

    @routes.get("/what-if/{run_id}", summary="A replay: how far it is, and its answer", **described(WhatIfShape))
    async def show(run_id: RunId, who: Who) -> Response:
        return answer(run_json(seen_run(runs, run_id, who)))

    @routes.post("/what-if/{run_id}/cancel", summary="End a replay", **described(WhatIfShape))
    async def cancel(request: Request, run_id: RunId, who: Who) -> Response:
        run = seen_run(runs, run_id, who)
        ended = await workers.run(runs.cancel, run.id)
        deed(request, run=run.id)
        return answer(run_json(ended or run))

    return routes


def within(who: Principal, scenario: WhatIf) -> WhatIf:
    """The scenario over calls that the caller may see. Raises Problem."""
    kinds = ("rate_limits", "caches", "moves", "fallbacks")
    if (many := next((kind for kind in kinds if len(getattr(scenario, kind)) > MOST_CHANGES), None)) is not None:
        raise Problem(422, f"{many}: more than {MOST_CHANGES} changes of one kind are not replayed at once.", parameter=many)
    seen = narrowed(who, scenario.calls)
    return scenario if seen == scenario.calls else scenario.model_copy(update={"selector": seen.labels})


def begin(runs: WhatIfRuns, scenario: WhatIf) -> Run:
    """Raises Problem (429) where too many are under way."""
    try:
        return runs.ask(scenario)
    except TooManyRuns as error:
        words = str(error)
        raise Problem(429, f"{words[:1].upper()}{words[1:]}.", headers={"Retry-After": str(_RETRY_S)}) from None


def seen_run(runs: WhatIfRuns, run_id: str, who: Principal) -> Run:
    """Raises Problem (404) where there is none whose calls the caller may see."""
    found = runs.get(run_id)
    if found is None or not sees(who, found.scenario.calls.labels):
        raise Problem(404, f"There is no replay {run_id[:40]!r} in this process; those of before its start are forgotten.")
    return found


def run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "progress": run.progress,
        "waits_for": run.waits_for,
        "asked_at": utc(run.asked_at),
        "ended_at": utc(run.ended_at),
        "problem": run.problem or None,
        "scenario": scenario_json(run.scenario),
        "yaml": scenario_yaml(run.scenario),
        "prediction": None if run.prediction is None else prediction_json(run.prediction),
    }
