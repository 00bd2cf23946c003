"""A performance review: what a week or a month was like beside the one before. Every number is what a query gives."""

from dataclasses import dataclass
from datetime import datetime

from core.capacity import LimitOutlook, ServingCost
from core.recommendations import Recommendation
from core.series import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One metric of a selection over the period and over the one before, in the metric's unit; NaN: unknown."""

    metric: str
    selector: Selector
    calls: int
    value: float
    before: float

    @property
    def change(self) -> float:
        """Relative to before; NaN where there was nothing."""
        return self.value / self.before - 1.0 if self.before > 0.0 else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An objective over the period; `budget_left` is the share of a rate's budget, NaN for other metrics."""

    name: str
    metric: str
    value: float
    target: float
    kept: bool
    budget_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A series of daily values that rises: Mann and Kendall's test, and Sen's slope.

    Attributes
    ----------
    p_value : float
        Two-sided.
    growth : float
        Sen's slope over all days as a share of the median: what the trend adds up to.
    """

    metric: str
    selector: Selector
    days: int
    first: float
    last: float
    p_value: float
    growth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedIncident:
    """An incident of the period; seconds are NaN where it has not ended, or what it began with is unknown."""

    title: str
    severity: str
    started_at: datetime
    detected_s: float
    lasted_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything that a review says.

    Attributes
    ----------
    totals : tuple of Compared
        Of all traffic.
    worse, better : tuple of Compared
        What changed most, by service, route and model; `causes` has, for each of `worse`, what anomalies of the period say.
    slowest, costliest : tuple of Compared
        By route, tenant and model: P95, and USD an hour.
    days : tuple of (datetime, float)
        Mean calls a second of each day of both periods.
    """

    kind: str
    start: datetime
    end: datetime
    before: datetime
    totals: tuple[Compared, ...]
    objectives: tuple[Kept, ...]
    trends: tuple[Trend, ...]
    worse: tuple[Compared, ...]
    causes: tuple[str, ...]
    better: tuple[Compared, ...]
    slowest: tuple[Compared, ...]
    costliest: tuple[Compared, ...]
    limits: tuple[LimitOutlook, ...]
    costs: tuple[ServingCost, ...]
    incidents: tuple[ReviewedIncident, ...]
    recommendations: tuple[Recommendation, ...]
    days: tuple[tuple[datetime, float], ...]
