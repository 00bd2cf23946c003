"""Settings of the release gate: what it judges, from which size on a change counts, and how sure it must be."""

from typing import Self

from pydantic import Field, model_validator

from core.part import Part
from core.series import METRICS

GATED: dict[str, tuple[str, str]] = {
    **{
        name: (METRICS[name].title, METRICS[name].unit) for name in ("latency_p50", "latency_p90", "latency_p95", "latency_p99")
    },
    **{name: (METRICS[name].title, METRICS[name].unit) for name in ("ttft_p95", "error_rate", "rate_limited_rate")},
    "route_p95": ("Latency P95 against each route's own", "×"),
    "cost_per_call": ("Cost per call", "USD"),
    "tps": (METRICS["tps"].title, METRICS["tps"].unit),
}
"""What a gate knows: metric → title and unit, in the order in which it is told."""


class GateFloor(Part):
    absolute: float = Field(
        0.0, ge=0, description="Least change that counts, in the metric's unit (shares: 0.004 is 0.4 points)."
    )
    relative: float = Field(0.0, ge=0, description="Least change that counts, as a share of the baseline's value.")


DEFAULT_FLOORS: dict[str, GateFloor] = {
    "latency_p50": GateFloor(absolute=2.0, relative=0.05),
    "latency_p90": GateFloor(absolute=5.0, relative=0.05),
    "latency_p95": GateFloor(absolute=5.0, relative=0.05),
    "latency_p99": GateFloor(absolute=10.0, relative=0.10),
    "route_p95": GateFloor(relative=0.05),
    "ttft_p95": GateFloor(absolute=20.0, relative=0.05),
    "error_rate": GateFloor(absolute=0.004, relative=0.25),
    "rate_limited_rate": GateFloor(absolute=0.004, relative=0.25),
    "cost_per_call": GateFloor(relative=0.05),
    "tps": GateFloor(relative=0.10),
}
"""A regression must pass both; what a person would act on, not what can be measured."""


class GateSettings(Part):
    judged: tuple[str, ...] = Field(
        (*(name for name in GATED if name not in ("latency_p90", "tps")),),
        description="Metrics that can fail a candidate: `latency_p50/p90/p95/p99`, `route_p95` (each call against "
        "the P95 of its own route and size), `ttft_p95`, `error_rate`, `rate_limited_rate`, `cost_per_call`, `tps`. "
        "`tps` is judged besides where the candidate is a load test.",
    )
    required: tuple[str, ...] = Field(
        ("route_p95", "error_rate"), description="Where one of these cannot be judged, the candidate cannot (exit 2)."
    )
    floors: dict[str, GateFloor] = Field(
        default_factory=dict,
        description="Metric → least change that counts (both must be passed); not given: the metric's own.",
    )
    confidence: float = Field(
        0.98,
        gt=0.5,
        lt=1,
        description="A candidate that changed nothing passes with at least this probability, over all metrics.",
    )
    power: float = Field(0.8, gt=0.5, lt=1, description="Probability with which a change that must be findable is found.")
    findable: float = Field(
        3.0, ge=1, description="A change of so many floors must be findable, else there are too few calls to say `unchanged`."
    )
    overlap: float = Field(
        0.8, gt=0, le=1, description="Least share of the candidate's calls whose route and size the baseline has too."
    )
    weeks: int = Field(4, ge=1, le=52, description="`--against same-hours`: how many weeks back.")
    seed: int = Field(7, description="Seed of the bootstrap: the same calls and seed give the same answer.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in (*self.judged, *self.required, *self.floors):
            if name not in GATED:
                raise ValueError(f"{name!r} is nothing that a gate judges; choose from {', '.join(GATED)}")
        for name in self.required:
            if name not in self.judged:
                raise ValueError(f"{name!r} is required but not judged; add it to judged")
        return self

    def floor_of(self, metric: str) -> GateFloor:
        return self.floors.get(metric, DEFAULT_FLOORS[metric])


class ChangeSettings(Part):
    enabled: bool = Field(True, description="Find changes in the calls, and judge before and after every change.")
    labels: tuple[str, ...] = Field(
        ("deployment", "release", "version", "service.version"),
        description="Attributes of calls whose new value, for a service, is a deployment.",
    )
