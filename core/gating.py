"""What a gate says of a candidate: metric by metric, and as a whole. Crosses from analytics to pictures and reports."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from core.mixes import CallMix


class Outcome(IntEnum):
    """Of the whole; the values are the command's exit codes."""

    PASSED = 0
    REGRESSION = 1
    CANNOT_JUDGE = 2


class Verdict(StrEnum):
    """Of one metric."""

    REGRESSION = "regression"
    """Worse beyond chance, and by more than the floor."""
    SMALL = "worse, below the floor"
    """Worse beyond chance, by less than anybody cares for."""
    UNCHANGED = "unchanged"
    """No change for the worse was found, and one that matters would have been."""
    IMPROVEMENT = "improvement"
    """Better beyond chance, and by more than the floor."""
    TOO_FEW = "too few calls"
    """No change was found, and one that matters could have been missed."""
    UNKNOWN = "unknown"
    """Nothing is known of it on one of the sides."""
    TOLD = "not judged"
    """Shown only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """One metric on both sides, weighted to the same mix; NaN where it is unknown.

    Attributes
    ----------
    raw_before, raw_after : float
        As each side's own mix has it.
    difference, lower, upper : float
        Candidate less baseline, in the metric's unit, and its interval.
    p_value : float
        One-sided, of no change for the worse; before the correction for many comparisons.
    adjusted : float
        The same after it.
    floor : float
        The least change that counts, in the metric's unit.
    findable : float
        The change that must be findable for "unchanged" to mean anything, in the metric's unit.
    calls_needed : float
        Calls of the candidate with which it would be; NaN where it is, or where nobody can tell.
    where : tuple of str
        Routes that account for most of a regression.
    required : bool
        Whether the whole cannot be judged without this metric.
    """

    metric: str
    title: str
    unit: str
    verdict: Verdict
    before: float
    after: float
    raw_before: float
    raw_after: float
    difference: float
    lower: float
    upper: float
    p_value: float
    adjusted: float
    floor: float
    findable: float
    calls_needed: float
    required: bool
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVerdict:
    """An objective and what the candidate made of it; `kept` is None where too few calls can tell.

    Attributes
    ----------
    value, lower, upper : float
        The candidate's, with its interval, in the metric's unit.
    """

    name: str
    metric: str
    unit: str
    target: float
    at_most: bool
    value: float
    lower: float
    upper: float
    kept: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The verdict and everything that it rests on.

    Attributes
    ----------
    shared_before, shared_after : float
        Share of each side's calls in strata that both sides have: only these are compared.
    reasons : tuple of str
        Why the outcome is what it is, most important first; empty where it passed.
    notes : tuple of str
        What the reader should know besides.
    """

    outcome: Outcome
    before: CallMix
    after: CallMix
    shared_before: float
    shared_after: float
    strata: int
    level: float
    metrics: tuple[MetricVerdict, ...]
    targets: tuple[TargetVerdict, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
