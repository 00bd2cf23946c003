"""A performance review: what a week or a month was like beside the one before. Every number is what a query gives."""

import math
from dataclasses import dataclass
from datetime import datetime

from core.capacity import LimitOutlook, ServingCost
from core.recommendations import Recommendation
from core.review_periods import ReviewPeriod
from core.series import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One metric of a selection over the period and over the one before, in the metric's unit; NaN: unknown."""

    metric: str
    selector: Selector
    calls: int
    value: float
    before: float
    calls_before: int = 0

    @property
    def change(self) -> float:
        """Relative to before; NaN where there was nothing."""
        return self.value / self.before - 1.0 if self.before > 0.0 else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An objective over the period.

    Attributes
    ----------
    value, before : float
        What was measured in the period and in the one before: the metric, or the bad share of a transaction; NaN: unknown.
    kept : bool or None
        None where nothing is known.
    budget_left : float
        The share of the error budget of the objective's own window that was left at the period's end; NaN: it has none.
    """

    name: str
    metric: str
    value: float
    before: float
    target: float
    at_least: bool
    kept: bool | None
    budget_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A series of daily values that rises: Mann and Kendall's test, and Sen's slope.

    Attributes
    ----------
    values : tuple of float
        One for each day, the last day last; NaN: no calls.
    p_value : float
        Two-sided.
    growth : float
        Sen's slope over all days as a share of the median: what the trend adds up to.
    """

    metric: str
    selector: Selector
    values: tuple[float, ...]
    p_value: float
    growth: float

    @property
    def days(self) -> int:
        return sum(math.isfinite(value) for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CausePart:
    """A part of a selection in which most of its change lies; `share` of the change, roughly for percentiles."""

    selector: Selector
    value: float
    before: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseChange:
    """A noted or found change of the selection, with the metric from it to the period's end, and before it.

    Attributes
    ----------
    verdict : str
        What the comparison before and after it said (`passed`, `regression`, `cannot_judge`); empty: not judged.
    """

    id: str
    words: str
    at: datetime
    after: float
    before: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is known of why a figure changed; each part may be missing.

    Attributes
    ----------
    incident : str
        The incident of the selection that explains it: of the period for what got worse, of the one before for what got better.
    anomaly : str
        What the most severe anomaly of the selection says, where there was no incident.
    """

    part: CausePart | None = None
    change: CauseChange | None = None
    incident: str = ""
    anomaly: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedIncident:
    """An incident that began in the period; seconds are NaN where it has not come to that.

    Attributes
    ----------
    detected_s, acknowledged_s : float
        From its beginning until it was told, and from then until somebody said that they had it.
    lasted_s : float
        From its beginning to its end.
    cause : str
        What explains most of it; empty: nothing was found.
    """

    id: str
    title: str
    severity: str
    started_at: datetime
    detected_s: float
    acknowledged_s: float
    lasted_s: float
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything that a review says.

    Attributes
    ----------
    data_from : datetime
        The first stored minute: before it there is nothing to compare with.
    totals : tuple of Compared
        Of all traffic.
    worse, better : tuple of Compared
        What changed most, by service, route, provider and model; the causes of each in the same order.
    slowest, costliest : tuple of Compared
        By route, tenant and model: P95, and USD an hour.
    incidents_before : int
        How many began in the period before.
    days : tuple of (datetime, float)
        Mean calls a second of each day of both periods; NaN: no calls.
    """

    period: ReviewPeriod
    made_at: datetime
    data_from: datetime
    totals: tuple[Compared, ...]
    objectives: tuple[Kept, ...]
    trends: tuple[Trend, ...]
    worse: tuple[Compared, ...]
    worse_causes: tuple[Cause, ...]
    better: tuple[Compared, ...]
    better_causes: tuple[Cause, ...]
    slowest: tuple[Compared, ...]
    costliest: tuple[Compared, ...]
    limits: tuple[LimitOutlook, ...]
    costs: tuple[ServingCost, ...]
    incidents: tuple[ReviewedIncident, ...]
    incidents_before: int
    recommendations: tuple[Recommendation, ...]
    days: tuple[tuple[datetime, float], ...]

    @property
    def hours(self) -> float:
        """How long the period is."""
        return (self.period.end - self.period.start).total_seconds() / 3600.0

    @property
    def comparable(self) -> bool:
        """Whether there were calls in the period before."""
        return any(math.isfinite(value) for day, value in self.days if day < self.period.start)

    @property
    def known_days(self) -> int:
        """Days of the period that had calls."""
        return sum(math.isfinite(value) for day, value in self.days if day >= self.period.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedReview:
    """A review as it was made: never changed, made again under the next version.

    Attributes
    ----------
    made_by : str
        `schedule`, or who asked for it.
    words : str
        Its short form.
    body, page : str
        JSON and HTML; empty where only the list was read.
    """

    id: str
    kind: str
    version: int
    start: datetime
    end: datetime
    made_at: datetime
    made_by: str
    words: str
    body: str = ""
    page: str = ""
