"""The recommendations page for one query of its address: which states are shown, and what is known of each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.recommendations import Recommendation, RecommendationState
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Look
from storage.recommendations import read_recommendations

JOB = "recommendations"
"""The job that finds them, by the name under which it tells of itself."""

STATES: dict[str, tuple[RecommendationState, ...]] = {
    "": (RecommendationState.OPEN, RecommendationState.ACCEPTED),
    **{str(state): (state,) for state in RecommendationState},
}
"""Which states the parameter `state` stands for; the empty one is what the page shows without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedData:
    """Everything on the page.

    Attributes
    ----------
    state : str
        A key of `STATES`.
    found : tuple of Recommendation
        Those in that state, the largest gain first; with `recommendation=ID` in the address that one alone.
    counts : mapping
        How many there are, by key of `STATES`.
    looked_at : datetime or None
        When the calls were last looked through; None: never.
    """

    state: str
    found: tuple[Recommendation, ...]
    counts: Mapping[str, int]
    looked_at: datetime | None
    enabled: bool


def load_recommended(web: Web, query: Mapping[str, str], _look: Look) -> RecommendedData:
    """Read the page. Raises what the store raises; what the address asks for and is not there is shown as nothing."""
    known = read_recommendations(web.store)
    by_state = Counter(one.state for one in known)
    state = query.get("state", "") if query.get("state", "") in STATES else ""
    asked = query.get("recommendation", "")
    found = [one for one in known if (one.id == asked if asked else one.state in STATES[state])]
    job = next((one for one in queries.job_states(web) if one.name == JOB), None)
    return RecommendedData(
        state=state,
        found=tuple(found),
        counts={name: sum(by_state[one] for one in states) for name, states in STATES.items()},
        looked_at=job.last_success_at if job is not None else None,
        enabled=web.settings.recommendations.enabled,
    )
