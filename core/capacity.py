"""What is known of capacity and crosses rooms: measured ceilings, and what is left until a limit."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.series import Selector


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

    def throughput(self, concurrency: float) -> float:
        """The fitted law at a concurrency, calls/s; NaN where none was fitted."""
        n = concurrency
        return self.gamma.value * n / (1.0 + self.sigma.value * (n - 1.0) + self.kappa.value * n * (n - 1.0))


class Against(StrEnum):
    """What throughput is fitted against."""

    CONCURRENCY = "concurrency"
    INSTANCES = "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The ceiling of a selection, with some of the measurements that it was made of.

    Attributes
    ----------
    points : tuple of (float, float)
        Concurrency (or instances) and calls/s, at most a few hundred, for charts.
    against : Against
        What the ceiling's concurrency counts: calls in flight, or instances.
    transaction : str
        Name of the transaction whose calls these are; empty: the selector's.
    objective_tps : float or None
        The highest calls/s up to which the selection's latency objective held; None without one.
    objective_failed : bool
        Whether it was seen to fail above.
    """

    selector: Selector
    made_at: datetime
    ceiling: Ceiling
    points: tuple[tuple[float, float], ...]
    objective_tps: float | None = None
    objective_failed: bool = False
    against: Against = Against.CONCURRENCY
    transaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOutlook:
    """How far a limit is away.

    Attributes
    ----------
    kind : str
        As in the configuration (`tps`, `tokens_per_min`, …), or `ceiling` for one that was measured.
    limit : Estimate
        In `unit`; the interval of a typed limit is empty.
    now : float
        The latest value of what is limited, in `unit`; NaN where unknown.
    until : datetime or None
        End of the forecast; None: there is none to judge by.
    probability : float
        Of reaching the limit until then; NaN without a forecast.
    early_at, likely_at, late_at : datetime or None
        By when 10, 50 and 90 % of what may come reaches it; None: not within the forecast.
    headroom : float
        What is left of the limit at the busiest hour's 95th percentile, as a share of it; below nought: nothing.
    minutes : Estimate or None
        Minutes until the quota is used up as things move now; infinite: it is not. None for what is no quota.
    words : str
        All that in a sentence.
    by_day : tuple of float
        Probability of reaching the limit within 1, 2, … whole days from the forecast's first hour on; empty without a forecast.
    """

    name: str
    kind: str
    selector: Selector
    unit: str
    made_at: datetime
    limit: Estimate
    now: float
    until: datetime | None
    probability: float
    early_at: datetime | None
    likely_at: datetime | None
    late_at: datetime | None
    headroom: float
    minutes: Estimate | None
    words: str
    by_day: tuple[float, ...] = ()

    def within(self, days: int) -> float:
        """Probability of reaching the limit within so many days; those after the forecast's end add nothing. NaN: unknown."""
        return self.by_day[min(days, len(self.by_day)) - 1] if self.by_day else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRun:
    """A load test as it was tagged; `ended_at` is None while it lasts."""

    id: str
    name: str
    selector: Selector
    note: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCost:
    """What it costs to serve a forecast.

    Attributes
    ----------
    first, until : datetime
        The span of the forecast.
    calls_usd : Estimate
        What the calls cost over the span (tokens and what gateways report); NaN where nothing of it is known.
    instances_usd : float
        What gateway instances cost over the span, enough of them for each hour's 95th percentile; 0 where none are priced.
    usd_per_call : float
        Mean cost of a call; NaN where unknown.
    per_extra_100_tps : float
        USD/h for 100 calls/s more at the busiest hour; NaN where unknown.
    curve : tuple of (float, float)
        Calls/s and USD/h, from idle to twice the busiest hour; empty where unknown.
    passes : tuple of (str, float, datetime)
        Objectives of throughput whose value the forecast's median passes: name, calls/s, when.
    instances_now, instances_most : int
        Instances for the 95th percentile of the first hour and of the busiest one; 0 where none are priced.
    more_instances_at : datetime or None
        The first hour that needs more of them than the first; None: none does.
    """

    selector: Selector
    made_at: datetime
    first: datetime
    until: datetime
    calls_usd: Estimate
    instances_usd: float
    usd_per_call: float
    per_extra_100_tps: float
    curve: tuple[tuple[float, float], ...]
    passes: tuple[tuple[str, float, datetime], ...]
    instances_now: int = 0
    instances_most: int = 0
    more_instances_at: datetime | None = None
