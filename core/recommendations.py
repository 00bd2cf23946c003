"""Recommendations: what could be better, what it would bring, and what became of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from core.series import Selector


class RecommendationState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    GONE = "gone"
    """Nobody decided, and the calls no longer show it."""


IN_SIGHT = (RecommendationState.OPEN, RecommendationState.ACCEPTED)
"""What is listed where nobody asks for a state."""


class Verdict(StrEnum):
    """What calls since a recommendation was accepted say of what it promised."""

    KEPT = "kept"
    PARTLY = "partly"
    NOT_KEPT = "not kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is predicted to change, by a measure that does not depend on how many calls come.

    Attributes
    ----------
    measure : str
        Which figure (`analytics/recommending/measures.py`), of the calls of `scope`.
    before, after : float
        In `unit`; `lower` and `upper` hold `after` in nine of ten cases.
    """

    measure: str
    scope: Selector
    unit: str
    before: float
    after: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A recommendation as a rule of the catalogue makes it.

    Attributes
    ----------
    rule : str
        Its name in the catalogue.
    selector : Selector
        What it is about; with `about` what tells it from others of its rule.
    gain : float
        Which share of all cost, of all waiting, of all refused calls, of all retries or of a limit it would take away: ranks.
    confidence : float
        In [0, 1]: how little of the effect its interval leaves open.
    verify : str
        How to see whether it helped.
    scenario : str
        The what-if scenario (JSON) whose replay predicted the effect; empty where it came from elsewhere.
    """

    rule: str
    selector: Selector
    about: str
    action: str
    evidence: tuple[str, ...]
    effect: Effect
    gain: float
    gain_of: str
    confidence: float
    verify: str
    scenario: str = ""

    @property
    def gain_words(self) -> str:
        """`12% of cost`; a target that fits better takes nothing away."""
        return f"{self.gain:.0%} of {self.gain_of}" if self.gain > 0.0 else "no load, no cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What calls since the acceptance show."""

    checked_at: datetime
    calls: int
    measured: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A finding with what people and time made of it.

    Attributes
    ----------
    found_at : datetime
        When the calls showed it last, from `start` to `end`.
    who, why, decided_at
        Of the decision; None and empty while it is open.
    """

    id: str
    finding: Finding
    start: datetime
    end: datetime
    found_at: datetime
    state: RecommendationState
    who: str = ""
    why: str = ""
    decided_at: datetime | None = None
    outcome: Outcome | None = None

    def decided(self, state: RecommendationState, who: str, why: str, now: datetime) -> "Recommendation":
        """With what somebody said of it; an earlier outcome is forgotten."""
        return replace(self, state=state, who=who, why=why, decided_at=now, outcome=None)
