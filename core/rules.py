"""Rules as they stand in the configuration: what opens an incident, by kind."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.alert_settings import known_zone
from core.durations import Duration
from core.part import Part
from core.record import DIMENSIONS
from core.series import METRICS, TRANSACTION, Selector
from core.transactions import TRANSACTION_METRICS
from core.types import Severity


class RuleBase(Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Unique name; part of the incident's fingerprint.")
    severity: Severity = Field(Severity.WARNING, description="`info`, `warning` or `critical`.")
    receivers: tuple[str, ...] = Field((), description="Names of receivers; empty: those of `routing`.")
    runbook: str = Field("", description="Link shown with every message.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels added to the incident.")


class ThresholdRule(RuleBase):
    kind: Literal["threshold"]
    metric: str = Field(description="A metric of the minute rollups.")
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    transaction: str = Field("", description="Name of a transaction, whose calls and errors are meant, instead of a selector.")
    by: tuple[str, ...] = Field(
        (), description="One incident per value of these dimensions; `[transaction]`: per transaction, by its own counters."
    )
    above: float | None = Field(None, description="Fires while the metric is above this, in its unit.")
    below: float | None = Field(None, description="Fires while the metric is below this, in its unit.")
    window: Duration = Field(timedelta(minutes=1), description="Span that the metric is computed over; whole minutes.")
    hold: Duration = Field(timedelta(0), description="How long the condition must hold before an incident opens.")
    recover_after: Duration = Field(timedelta(minutes=2), description="How long it must be gone before the incident ends.")
    recover: float | None = Field(
        None,
        description="Recovered only at or below this (`above`), or at or above it (`below`); in between it goes on.",
    )
    delay: Duration = Field(
        timedelta(0),
        description="Minutes are judged so much later than the measured lateness of calls asks for; whole minutes.",
    )
    no_data: Literal["keep", "ok", "alert"] = Field(
        "keep", description="What a window without any call means: nothing, that all is well, or a breach."
    )
    min_calls: int = Field(
        20,
        ge=0,
        description="Windows with fewer calls say nothing; unless you give it, not applied to `below` on a rate such as `tps`.",
    )

    @model_validator(mode="after")
    def _valid(self) -> Self:
        known_metric(self.metric)
        known_selection(self.transaction, self.selector, self.by)
        if (self.transaction or self.by == (TRANSACTION,)) and self.metric not in TRANSACTION_METRICS:
            raise ValueError(f"{self.metric!r} is no metric of a transaction; choose from {', '.join(TRANSACTION_METRICS)}")
        if (self.above is None) == (self.below is None):
            raise ValueError("one of above or below must be given")
        limit = self.above if self.above is not None else self.below
        if self.recover is not None and limit is not None and (self.recover > limit) is (self.above is not None):
            raise ValueError("recover must lie on the good side of the limit")
        if self.window < timedelta(minutes=1) or self.window % timedelta(minutes=1):
            raise ValueError("window must be a whole number of minutes")
        if not timedelta(0) <= self.delay <= timedelta(minutes=30) or self.delay % timedelta(minutes=1):
            raise ValueError("delay must be a whole number of minutes up to 30m")
        return self


class AnomalyRule(RuleBase):
    kind: Literal["anomaly"]
    selector: dict[str, str] = Field(default_factory=dict, description="Only anomalies whose leading series lies within.")
    transaction: str = Field("", description="Only anomalies led by this transaction.")
    metrics: tuple[str, ...] = Field((), description="Only anomalies led by these metrics; empty: all.")
    min_severity: float = Field(0.5, ge=0, le=1, description="Least severity of the anomaly.")
    min_effect: float = Field(
        0.0, ge=0, description="Least deviation from what was expected, as a part of it: 0.2 is a fifth more or less."
    )
    direction: Literal["both", "high", "low"] = Field("both", description="On which side of what was expected.")

    @model_validator(mode="after")
    def _valid(self) -> Self:
        known_selection(self.transaction, self.selector, ())
        for metric in self.metrics:
            known_metric(metric)
        return self


class BurnWindow(Part):
    """A pair of windows of the SRE workbook: the long one says that it matters, the short one that it still goes on."""

    long: Duration = Field(description="The window that must have burned enough.")
    short: Duration = Field(description="The window that must burn as fast just now; a twelfth of the long one.")
    burn: float = Field(gt=0, description="How many times as fast as the objective's period allows.")
    severity: Severity = Field(Severity.CRITICAL, description="Severity of what this pair finds.")


def workbook_windows() -> tuple[BurnWindow, ...]:
    """The SRE workbook's recommendation for 30 days ("Alerting on SLOs", table 5-8): 2, 5 and 10 % of the budget."""
    return (
        BurnWindow(long=timedelta(hours=1), short=timedelta(minutes=5), burn=14.4, severity=Severity.CRITICAL),
        BurnWindow(long=timedelta(hours=6), short=timedelta(minutes=30), burn=6.0, severity=Severity.CRITICAL),
        BurnWindow(long=timedelta(days=3), short=timedelta(hours=6), burn=1.0, severity=Severity.WARNING),
    )


class ObjectiveRule(RuleBase):
    """Fires while the error budget of an objective burns too fast."""

    kind: Literal["objective"]
    objective: str = Field(
        "",
        description="Name of an objective with an error budget: of a transaction, or of a share with `at_most`; empty: each "
        "that no other rule names and whose `alert` is true.",
    )
    transaction: str = Field("", description="Only objectives of this transaction.")
    selector: dict[str, str] = Field(default_factory=dict, description="Which of the objective's calls; empty: all of them.")
    by: tuple[str, ...] = Field((), description="One incident per value of these dimensions.")
    windows: tuple[BurnWindow, ...] = Field(
        default_factory=workbook_windows,
        min_length=1,
        description="Pairs of windows; each that burns fires. Not given: as much of the budget of the objective's own window.",
    )
    min_calls: int = Field(100, ge=0, description="Long windows with fewer calls say nothing; not applied to minutes.")
    min_bad: float = Field(3.0, ge=0, description="Long windows with fewer bad calls, or minutes, say nothing.")

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if not self.objective and (self.selector or self.by):
            raise ValueError("selector and by need objective beside them: of which one's calls are they?")
        Selector.of(self.selector)
        for name in self.by:
            known_dimension(name)
        for pair in self.windows:
            if not timedelta(minutes=1) <= pair.short < pair.long or pair.short % timedelta(minutes=1):
                raise ValueError("a pair of windows needs a short one of whole minutes that is shorter than the long one")
        return self


class AbsenceRule(RuleBase):
    """Fires while a series that has traffic at this time of the day and the week has none."""

    kind: Literal["absence"]
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    transaction: str = Field("", description="Name of a transaction, instead of a selector.")
    by: tuple[str, ...] = Field((), description="One incident per value of these dimensions; `[transaction]`: per transaction.")
    window: Duration = Field(timedelta(minutes=10), description="Span without any call; whole minutes.")
    min_expected: float = Field(
        30.0, gt=0, description="Calls that were there a day and a week ago (the fewer of the two), for none to be strange."
    )

    @model_validator(mode="after")
    def _valid(self) -> Self:
        known_selection(self.transaction, self.selector, self.by)
        if self.window < timedelta(minutes=1) or self.window % timedelta(minutes=1):
            raise ValueError("window must be a whole number of minutes")
        return self


class PipelineRule(RuleBase):
    """Fires on what keeps tpscope itself from seeing: late data, jobs that stand still, records that cannot be read."""

    kind: Literal["pipeline"]
    max_delay: Duration = Field(timedelta(minutes=5), description="How late calls may be, and how long a job may rest.")
    dead_letters: int = Field(100, ge=1, description="From so many unreadable records in 15 minutes on it fires.")


class ChangeRule(RuleBase):
    """Tells what became of a change, once it is judged; its severity is that of a regression."""

    kind: Literal["change"]
    improvements: bool = Field(False, description="Tell also of changes after which calls got better, as `info`.")
    hold: Duration = Field(timedelta(hours=24), description="How long the incident of a verdict stays open.")


class ForecastRule(RuleBase):
    """Fires while a limit is likely to be used up soon."""

    kind: Literal["forecast"]
    limits: tuple[str, ...] = Field((), description="Names of entries of `limits`; empty: all of them.")
    measured: bool = Field(False, description="Also ceilings that were measured.")
    within: Duration = Field(timedelta(days=7), description="How far ahead is looked; whole days, at most `forecast.horizon`.")
    probability: float = Field(0.5, gt=0, le=1, description="Fires from this probability on that the limit is reached by then.")
    recover: float | None = Field(
        None, ge=0, le=1, description="Recovered at or below this probability; not given: four fifths of `probability`."
    )
    quota_within: Duration | None = Field(
        timedelta(minutes=15),
        description="Fires as well while a quota of calls or tokens a minute lasts no longer than this at the present pace; "
        "null: never.",
    )

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if self.within < timedelta(days=1) or self.within % timedelta(days=1):
            raise ValueError("within must be a whole number of days")
        if self.recover is not None and self.recover > self.probability:
            raise ValueError("recover must not be above probability")
        return self

    @property
    def recover_at(self) -> float:
        return 0.8 * self.probability if self.recover is None else self.recover


class BudgetRule(RuleBase):
    """Tells at each step how much of a budget of a calendar period is used up, once a period."""

    kind: Literal["budget"]
    of: Literal["cost", "tokens"] = Field("cost", description="What is counted: `cost` (USD) or `tokens`.")
    at_most: float = Field(gt=0, description="The budget of one period, USD or tokens; with `by` that of each of its values.")
    period: Literal["day", "week", "month"] = Field("month", description="Calendar period; weeks begin on Monday.")
    time_zone: str = Field("", description="IANA name; empty: that of the configuration.")
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    by: tuple[str, ...] = Field((), description="One budget per value of these dimensions, such as `tenant` or `model`.")
    steps: tuple[float, ...] = Field(
        (0.5, 0.8, 0.95, 1.0), min_length=1, description="Shares of the budget at which is told, rising; 1 is all of it."
    )
    used_up: Severity = Field(Severity.CRITICAL, description="Severity from a step of 1 on; below it is `severity`.")

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return known_zone(name)

    @model_validator(mode="after")
    def _valid(self) -> Self:
        Selector.of(self.selector)
        for name in self.by:
            known_dimension(name)
        if list(self.steps) != sorted(set(self.steps)) or self.steps[0] <= 0:
            raise ValueError("steps must be above 0 and rise")
        return self


Rule = Annotated[
    ThresholdRule | AnomalyRule | ForecastRule | ObjectiveRule | BudgetRule | AbsenceRule | PipelineRule | ChangeRule,
    Field(discriminator="kind"),
]

RULE_KINDS = ("threshold", "anomaly", "forecast", "objective", "budget", "absence", "pipeline", "change")


def known_metric(name: str) -> None:
    if name not in METRICS:
        raise ValueError(f"{name!r} is no metric; choose from {', '.join(METRICS)}")


def known_selection(transaction: str, selector: dict[str, str], by: tuple[str, ...]) -> None:
    """Raises ValueError where these do not say which calls: a transaction is a selection of its own."""
    if (transaction or TRANSACTION in by) and (selector or by not in ((), (TRANSACTION,)) or (transaction and by)):
        raise ValueError("a transaction is a selection itself: it has no selector, and by: [transaction] stands alone")
    Selector.of(selector)
    for name in by:
        if name != TRANSACTION:
            known_dimension(name)


def known_dimension(name: str) -> None:
    if name not in DIMENSIONS:
        raise ValueError(f"{name!r} is no dimension of a call; choose from {', '.join(DIMENSIONS)}")
