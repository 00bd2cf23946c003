"""From the calls of an anomaly's window to what is said of it: ranked causes, a hint at the trouble, and the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from analytics.causes import rank_causes
from analytics.hints import hint_at
from analytics.leaves import Leaves
from core.series import Direction, Selector
from core.types import Cause, Related

_NEW_CALLS_A_MINUTE = 1.0
_LEAST_NEW_CALLS = 8.0
_REPLACED = 0.4
"""Share of a new value's calls that must be missing elsewhere for it to have taken another's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the single calls say of an anomaly; `hint` is empty where they support no kind of trouble.

    `change` is the last change before it, in words; that it came first is evidence, and no proof.
    """

    causes: tuple[Cause, ...] = ()
    hint: str = ""
    evidence: str = ""
    related: tuple[Related, ...] = ()
    change: str = ""

    def to_json(self) -> dict[str, Any]:
        causes = [{**asdict(cause), "selector": str(cause.selector)} for cause in self.causes]
        related = [{**asdict(part), "selector": str(part.selector)} for part in self.related]
        return {"causes": causes, "hint": self.hint, "evidence": self.evidence, "related": related, "change": self.change}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        causes = tuple(Cause(**{**part, "selector": Selector.parse(part["selector"])}) for part in state["causes"])
        related = tuple(Related(**{**part, "selector": Selector.parse(part["selector"])}) for part in state["related"])
        change = state.get("change", "")  # states of before there were changes
        return cls(causes=causes, hint=state["hint"], evidence=state["evidence"], related=related, change=change)


def diagnose(leaves: Leaves, metric: str, direction: Direction, known: Sequence[Selector], growth: float = 1.0) -> Diagnosis:
    """Explain the deviation of `metric` in the window.

    Parameters
    ----------
    known : sequence of Selector
        Selections that have a baseline: a value that has calls now, had none before and is not among them is new.
    growth : float
        As in `analytics.causes.rank_causes`.
    """
    causes = rank_causes(leaves, metric, direction, growth)
    fresh = _new_value(leaves, frozenset(known))
    if fresh is not None and not _elsewhere(causes, leaves, fresh.selector):
        causes = (fresh, *(cause for cause in causes if cause.selector != fresh.selector))
    hint, evidence = hint_at(leaves, metric, direction, causes, fresh, growth)
    return Diagnosis(causes=causes, hint=hint, evidence=evidence)


def _new_value(leaves: Leaves, known: frozenset[Selector]) -> Cause | None:
    """The busiest model that had no call before the window and has no baseline; None where there is none."""
    column = leaves.dimensions.index("model")
    names, codes = leaves.values[column], leaves.codes[:, column]
    now, before = (np.bincount(codes, part["calls"], minlength=len(names)) for part in (leaves.inside, leaves.before))
    least = max(_LEAST_NEW_CALLS, _NEW_CALLS_A_MINUTE * leaves.minutes)
    fresh = [
        number
        for number in np.flatnonzero((now >= least) & (before == 0))
        if names[number] and Selector.of(model=names[number]) not in known
    ]
    if not fresh:
        return None
    busiest = max(fresh, key=lambda number: float(now[number]))
    rate = float(now[busiest]) / (60.0 * leaves.minutes)
    selector = Selector.of(model=names[busiest])
    return Cause(selector=selector, observed=rate, expected=0.0, share=1.0, surprise=float(now[busiest]))


def _elsewhere(causes: Sequence[Cause], leaves: Leaves, fresh: Selector) -> bool:
    """Whether the first cause has next to no calls in common with those of the new value or of what it replaced."""
    if not causes or not causes[0].selector.pairs:
        return False
    labels = causes[0].selector.labels
    if "model" in labels:
        return False
    inside = np.ones(len(leaves.codes), dtype=bool)
    for name, value in labels.items():
        column = leaves.dimensions.index(name)
        inside &= leaves.codes[:, column] == leaves.values[column].index(value)
    column = leaves.dimensions.index("model")
    new = leaves.codes[:, column] == leaves.values[column].index(fresh.labels["model"])
    calls = leaves.inside["calls"]
    return float(calls[new & inside].sum()) < _REPLACED * float(calls[new].sum())
