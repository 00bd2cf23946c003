"""What is known of capacity and crosses rooms: measured ceilings, and what is left until a limit."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 90 % interval; infinite or NaN where there is none."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLoad:
    """What a fit is made of.

    Attributes
    ----------
    points : int
        Spans of time that were measured; `concurrency_from` to `concurrency_to` hold nine tenths of them.
    highest_tps : float
        The most that was seen (95th percentile).
    """

    points: int
    concurrency_from: float
    concurrency_to: float
    highest_tps: float


class CeilingState(StrEnum):
    """What a fit of throughput against concurrency could tell."""

    PEAK = "peak"
    """Throughput falls beyond a finite concurrency."""
    PLATEAU = "plateau"
    """Throughput flattens towards a limit and does not fall as far as can be told."""
    UNIDENTIFIED = "not_identifiable"
    """The load never varied enough, or never came near the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """How much a selection of calls can carry, measured.

    Attributes
    ----------
    gamma, sigma, kappa : Estimate
        Throughput of one call in flight (calls/s), contention and coherency of the Universal Scalability Law.
    peak_tps : Estimate
        The highest throughput, or what it flattens towards (calls/s).
    peak_concurrency : Estimate
        Calls in flight at which throughput begins to fall; infinite where it does not.
    reason, advice : str
        Of an unidentified ceiling: why, and what load test would settle it; else empty.
    """

    state: CeilingState
    gamma: Estimate
    sigma: Estimate
    kappa: Estimate
    peak_tps: Estimate
    peak_concurrency: Estimate
    load: MeasuredLoad
    reason: str = ""
    advice: str = ""
