"""Objectives as they stand in the configuration: a target for a transaction, or a bound on a metric of a selection of calls."""

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from core.alert_settings import known_zone
from core.durations import Duration, format_duration, parse_duration
from core.part import Part
from core.periods import PERIODS, PeriodName, usual_length
from core.rules import known_metric
from core.series import METRICS, Selector

LONGEST = timedelta(days=366)
USUAL_WINDOW = timedelta(days=30)


def _share(value: Any) -> Any:
    """`99.9%` as 0.999; numbers stay."""
    if not isinstance(value, str) or not value.strip().endswith("%"):
        return value
    text = value.strip().removesuffix("%").strip()
    try:
        return round(float(text) / 100.0, 12)
    except ValueError:
        raise ValueError(f"{value!r} is no share; write for example 99.9% or 0.999") from None


def _window(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) and value not in PERIODS else value


Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": ["string", "number"], "examples": ["99.9%", 0.999]})]
WindowOf = Annotated[
    timedelta | PeriodName,
    BeforeValidator(_window),
    PlainSerializer(lambda value: format_duration(value) if isinstance(value, timedelta) else value, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["28d", "30d", "week", "month", "quarter"]}),
]


class ObjectiveSettings(Part):
    name: str = Field(min_length=1, description="What people call it.")
    transaction: str = Field(
        "", description="Name of the transaction that it is a target for; empty: it bounds `metric` of the calls of `selector`."
    )
    target: Share | None = Field(
        None,
        gt=0,
        lt=1,
        description="For a transaction: the share that must be good, `99.9%` or 0.999. What is counted are its calls; with "
        "`at_least`, minutes.",
    )
    under: Duration | None = Field(
        None,
        description="For a transaction: only good calls up to this latency count as good; that is counted exactly.",
    )
    metric: str = Field(
        "", description="Without a transaction: a metric, for example `latency_p99` or `tps`; follows from the target with one."
    )
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    at_most: float | None = Field(None, description="The metric should stay at or below this, in its unit.")
    at_least: float | None = Field(
        None,
        description="The metric should be able to reach this, in its unit; for a transaction: calls a second that a good "
        "minute has.",
    )
    window: WindowOf = Field(
        USUAL_WINDOW,
        description="What the target and its error budget are for: a rolling window (`28d`), or the calendar's `day`, `week`, "
        "`month`, `quarter` or `year`.",
    )
    time_zone: str = Field("", description="Whose calendar, an IANA name; empty: that of the configuration.")
    alert: bool = Field(True, description="Whether the rules that name no objective tell when its budget burns too fast.")
    description: str = Field("", description="Where the target comes from.")

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return known_zone(name)

    @field_validator("window")
    @classmethod
    def _whole_minutes(cls, window: timedelta | PeriodName) -> timedelta | PeriodName:
        if isinstance(window, timedelta) and (window % timedelta(minutes=1) or not timedelta(hours=1) <= window <= LONGEST):
            raise ValueError("window must be whole minutes, from 1h to 366d, or one of " + ", ".join(PERIODS))
        return window

    @model_validator(mode="before")
    @classmethod
    def _as_target(cls, given: Any) -> Any:
        """Of a transaction, `{metric: error_rate, at_most: 0.001}` is `{target: 99.9%}` in other words."""
        if not isinstance(given, dict) or not given.get("transaction") or given.get("metric") not in ("error_rate", "tps"):
            return given
        rest = {name: value for name, value in given.items() if name != "metric"}
        if given["metric"] == "error_rate" and isinstance(given.get("at_most"), int | float) and "target" not in given:
            rest["target"] = round(1.0 - float(rest.pop("at_most")), 12)
        return rest

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transaction:
            self._check_target()
            return self
        if not self.metric:
            raise ValueError("one of transaction or metric must be given")
        known_metric(self.metric)
        Selector.of(self.selector)
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("one of at_most or at_least must be given")
        if self.target is not None or self.under is not None:
            raise ValueError("target and under are for objectives of a transaction; write transaction: NAME beside them")
        return self

    def _check_target(self) -> None:
        if self.metric.startswith("latency"):
            raise ValueError(f"{self.metric} of a transaction is a share: write for example target: 99% and under: 500ms")
        if self.metric or self.selector or self.at_most is not None:
            raise ValueError("an objective of a transaction has no metric, selector or at_most: its target says what is wanted")
        if self.target is None:
            raise ValueError("an objective of a transaction needs a target, for example 99.9%")
        if self.under is not None and self.at_least is not None:
            raise ValueError("under is about calls and at_least about minutes: make two objectives of them")
        if self.under is not None and self.under <= timedelta(0):
            raise ValueError("under must be above 0")
        if self.at_least is not None and self.at_least <= 0:
            raise ValueError("at_least must be above 0")

    @property
    def allowed(self) -> float | None:
        """The share that may be bad, its error budget; None where it has none."""
        if self.target is not None:
            return round(1.0 - self.target, 12)
        return self.at_most if METRICS[self.metric].unit == "1" and self.at_most else None

    @property
    def counts_minutes(self) -> bool:
        """Whether minutes are good or bad, and not calls."""
        return bool(self.transaction) and self.at_least is not None

    @property
    def under_ms(self) -> float | None:
        return None if self.under is None else self.under.total_seconds() * 1000

    @property
    def length(self) -> timedelta:
        """Of its window, a month counted as 30 days: what burn rates refer to."""
        return usual_length(self.window)

    @property
    def metric_name(self) -> str:
        """The metric that it is about."""
        if not self.transaction:
            return self.metric
        return "tps" if self.counts_minutes else "error_rate"
