"""How rules fared in a rehearsal: precision, recall, delay and pages a week of each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from tpscope.faults import Fault
from tpscope.replay import Told

AFTERMATH = timedelta(minutes=15)
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """How one rule fared; of `all` every message counts.

    Attributes
    ----------
    told : int
        Messages of openings; `true` of them overlap a fault.
    found : int
        Faults of which it told, of `faults`.
    delay_s : float
        Median time from a fault's beginning to its first message; NaN without any.
    """

    rule: str
    told: int
    true: int
    found: int
    faults: int
    delay_s: float
    pages_a_week: float

    @property
    def precision(self) -> float:
        """NaN where it told nothing."""
        return self.true / self.told if self.told else float("nan")

    @property
    def recall(self) -> float:
        return self.found / self.faults if self.faults else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a rehearsal showed: each fault with the first message about it, and each rule's result."""

    start: datetime
    end: datetime
    calls: int
    faults: tuple[tuple[Fault, Told | None], ...]
    rules: tuple[RuleResult, ...]


def judged(names: Sequence[str], plan: Sequence[Fault], told: Sequence[Told], length: timedelta) -> tuple[RuleResult, ...]:
    """The result of each rule, and of all together; `told` is in order of time."""
    results = [_result(name, plan, [one for one in told if one.incident.rule == name], length) for name in names]
    return (*results, _result(ALL, plan, told, length))


def first_told(plan: Sequence[Fault], told: Sequence[Told]) -> tuple[tuple[Fault, Told | None], ...]:
    """Each fault with the first message of an incident that overlaps it; None: nobody was told."""
    return tuple((fault, next((one for one in told if _overlap(one, fault)), None)) for fault in plan)


def _result(rule: str, plan: Sequence[Fault], told: Sequence[Told], length: timedelta) -> RuleResult:
    delays = [(one.at - fault.start).total_seconds() for fault, one in first_told(plan, told) if one is not None]
    return RuleResult(
        rule=rule,
        told=len(told),
        true=sum(any(_overlap(one, fault) for fault in plan) for one in told),
        found=len(delays),
        faults=len(plan),
        delay_s=float(np.median(delays)) if delays else float("nan"),
        pages_a_week=len(told) / (length / timedelta(weeks=1)),
    )


def _overlap(told: Told, fault: Fault) -> bool:
    ended = told.incident.resolved_at
    goes_on = ended is None or ended > fault.start
    return told.at > fault.start and told.incident.started_at < fault.end + AFTERMATH and goes_on
