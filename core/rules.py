"""Rules as they stand in the configuration: what opens an incident, by kind."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.durations import Duration
from core.part import Part
from core.record import DIMENSIONS
from core.series import METRICS, Selector
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
    by: tuple[str, ...] = Field((), description="One incident per value of these dimensions.")
    above: float | None = Field(None, description="Fires while the metric is above this, in its unit.")
    below: float | None = Field(None, description="Fires while the metric is below this, in its unit.")
    window: Duration = Field(timedelta(minutes=1), description="Span that the metric is computed over; whole minutes.")
    hold: Duration = Field(timedelta(0), description="How long the condition must hold before an incident opens.")
    recover_after: Duration = Field(timedelta(minutes=2), description="How long it must be gone before the incident ends.")
    min_calls: int = Field(
        20,
        ge=0,
        description="Windows with fewer calls say nothing; unless you give it, not applied to `below` on a rate such as `tps`.",
    )

    @model_validator(mode="after")
    def _valid(self) -> Self:
        known_metric(self.metric)
        Selector.of(self.selector)
        for name in self.by:
            known_dimension(name)
        if (self.above is None) == (self.below is None):
            raise ValueError("one of above or below must be given")
        if self.window < timedelta(minutes=1) or self.window % timedelta(minutes=1):
            raise ValueError("window must be a whole number of minutes")
        return self


class AnomalyRule(RuleBase):
    kind: Literal["anomaly"]
    selector: dict[str, str] = Field(default_factory=dict, description="Only anomalies whose leading series lies within.")
    metrics: tuple[str, ...] = Field((), description="Only anomalies led by these metrics; empty: all.")
    min_severity: float = Field(0.5, ge=0, le=1, description="Least severity of the anomaly.")

    @model_validator(mode="after")
    def _valid(self) -> Self:
        Selector.of(self.selector)
        for metric in self.metrics:
            known_metric(metric)
        return self


Rule = Annotated[ThresholdRule | AnomalyRule, Field(discriminator="kind")]

RULE_KINDS = ("threshold", "anomaly")


def known_metric(name: str) -> None:
    if name not in METRICS:
        raise ValueError(f"{name!r} is no metric; choose from {', '.join(METRICS)}")


def known_dimension(name: str) -> None:
    if name not in DIMENSIONS:
        raise ValueError(f"{name!r} is no dimension of a call; choose from {', '.join(DIMENSIONS)}")
