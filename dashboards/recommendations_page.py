"""What the recommendations page shows: those of a state, the largest gain first, each with what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.recommendations import IN_SIGHT, Recommendation, RecommendationState
from core.whatif import WhatIf
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Look
from dashboards.whatif.asked import address_of
from storage.recommendations import read_recommendations

JOB = "recommendations"
STATES: tuple[RecommendationState, ...] = tuple(RecommendationState)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationsData:
    """The page.

    Attributes
    ----------
    shown : tuple of Recommendation
        Of the wanted states.
    counts : mapping
        State → how many there are.
    looked_at : datetime or None
        When the job looked last.
    problem : str
        Why it could not, where that is so since.
    """

    shown: tuple[Recommendation, ...]
    counts: Mapping[RecommendationState, int]
    wanted: str
    enabled: bool
    looked_at: datetime | None
    problem: str


def load_recommendations(web: Web, query: Mapping[str, str], _look: Look) -> RecommendationsData:
    """Raises what the store raises. A state that is none asks for what is open or accepted."""
    found = read_recommendations(web.store)
    wanted = query.get("state", "")
    states = tuple(one for one in STATES if one == wanted) or IN_SIGHT
    job = next((one for one in queries.job_states(web) if one.name == JOB), None)
    looked_at = None if job is None else job.last_success_at
    failed = job is not None and job.last_error_at is not None and (looked_at is None or job.last_error_at > looked_at)
    return RecommendationsData(
        shown=tuple(one for one in found if one.state in states),
        counts={state: sum(1 for one in found if one.state is state) for state in STATES},
        wanted=wanted if len(states) == 1 else "",
        enabled=web.settings.recommendations.enabled,
        looked_at=looked_at,
        problem=job.last_error if failed and job is not None else "",
    )


def replay_address(one: Recommendation) -> dict[str, str]:
    """The what-if page's parameters for the scenario whose replay it came from; empty where it came from elsewhere."""
    return address_of(WhatIf.model_validate(json.loads(one.finding.scenario))) if one.finding.scenario else {}
