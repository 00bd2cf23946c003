"""What a simulated gateway looks like: services, routes, providers, seasons and the incidents that happen to it."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.config import LimitOf
from core.durations import Duration
from core.errors import ConfigError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(_Part):
    """One model of a provider: how it is shared, how fast it answers, what its tokens cost."""

    name: str
    share: float = Field(1.0, gt=0, description="Weight among the models of its provider.")
    prompt_tokens: float = Field(400, gt=0, description="Median tokens of a prompt.")
    completion_tokens: float = Field(180, gt=0, description="Median tokens of an answer.")
    tokens_per_s: float = Field(60, gt=0, description="Tokens of the answer a second.")
    ttft_ms: float = Field(280, gt=0, description="Median time to the first token.")
    usd_per_m_prompt: float = Field(0.5, ge=0, description="Price of a million prompt tokens.")
    usd_per_m_completion: float = Field(1.5, ge=0, description="Price of a million completion tokens.")


class ProviderSpec(_Part):
    """An upstream: a payment processor, a scoring cluster or an LLM provider."""

    name: str
    share: float = Field(1.0, gt=0)
    latency_factor: float = Field(1.0, gt=0)
    error_rate: float = Field(0.003, ge=0, le=1)
    wander: float = Field(0.0, ge=0, description="Spread (of the logarithm) by which its latency wanders.")
    accounts: tuple[str, ...] = ("primary",)
    models: tuple[ModelSpec, ...] = ()


class RouteSpec(_Part):
    service: str
    route: str
    method: str = "POST"
    kind: Literal["api", "ai", "llm", "queue", "batch"] = "api"
    share: float = Field(gt=0, description="Weight among all routes.")
    latency_ms: float = Field(
        gt=0, description="Median latency without load; for LLM routes what is added to the model's time."
    )
    sigma: float = Field(0.45, gt=0, description="Spread of the log-normal latency.")
    error_rate: float = Field(0.002, ge=0, le=1)
    rate_limited: float = Field(0.001, ge=0, le=1)
    cache_hit_rate: float = Field(0.0, ge=0, le=1)
    prompts: int = Field(0, ge=0, description="How many different prompts are asked, few of them often; 0: each only once.")
    providers: tuple[str, ...] = Field((), description="Which providers serve it; empty: the gateway's own upstream.")
    bytes_in: float = Field(900, gt=0)
    bytes_out: float = Field(3500, gt=0)


class IncidentSpec(_Part):
    """Something that goes wrong (or merely happens): the truth that detection is measured against.

    `match` selects the calls it touches by their columns (a surge: the route's, or one tenant). `magnitude` is the share of
    calls that an outage fails, a rate limit refuses, a dip takes away, a collapsed cache misses; for the others the factor at
    their height. A silence takes all the calls away. Of a new model, `into` is the name of the version that answers instead.
    """

    name: str
    kind: Literal[
        "outage", "latency_creep", "surge", "token_runaway", "silence",
        "rate_limit", "cache_collapse", "slow", "new_model", "token_growth", "dip",
    ]  # fmt: skip
    match: dict[str, str]
    magnitude: float = Field(1.0, gt=0)
    into: str = ""
    duration: Duration = timedelta(minutes=4)
    after: Duration = Field(timedelta(0), description="Start, counted from the end of the incident before it.")
    description: str


class TargetSpec(_Part):
    """What the real system must hold; throughput scales with the demo's rate, percentiles do not."""

    name: str
    metric: str
    selector: dict[str, str] = {}
    at_most: float | None = None
    at_least: float | None = None
    description: str


class LimitSpec(_Part):
    """What the real system must not exceed: a licence, a provider's quota, a budget. All of them scale with the demo's rate."""

    name: str
    kind: LimitOf
    selector: dict[str, str] = {}
    at_most: float = Field(gt=0)
    description: str

    def at_rate(self, share: float) -> dict[str, Any]:
        """As configuration, for `share` of the real system's traffic."""
        scaled = self.at_most * share
        shown = f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.3g}"
        text = f"{self.description}; scaled to this demo's rate: {shown} instead of {self.at_most:,.0f}"
        return {"name": self.name, "kind": self.kind, "selector": self.selector, "at_most": scaled, "description": text}


class CountedSpec(_Part):
    """The transaction that the scenario is about, and what is promised of it: shares of good and of fast ones."""

    name: str
    selector: dict[str, str | list[str]]
    good: str = Field(description="Share that must be good, such as `99.5%`.")
    fast: str = Field(description="Share that must be good within `under`.")
    under: str
    description: str


class PastSpec(_Part):
    """Something that was changed before the demo begins, and has made calls slower ever since."""

    what: str
    match: dict[str, str]
    slower: float = Field(gt=1, description="Factor of their latency.")
    ago: Duration = timedelta(days=6)


class SeasonSpec(_Part):
    """Shape of the traffic; every factor is relative to the mean of a week."""

    hours: tuple[float, ...] = Field(min_length=24, max_length=24, description="By hour of the day, UTC.")
    weekdays: tuple[float, ...] = Field(min_length=7, max_length=7, description="Monday first.")
    growth_per_week: float = Field(0.015, description="Growth of the level from week to week.")
    wander: float = Field(0.0, ge=0, description="Spread (of the logarithm) by which the level wanders, within half an hour.")
    mix_wander: float = Field(0.0, ge=0, description="Spread by which the share of each route and tenant wanders, likewise.")


class Scenario(_Part):
    """A gateway and its traffic. Rates are calls a second."""

    name: str
    title: str
    full_rate: float = Field(gt=0, description="Mean calls a second of the real system that this stands for.")
    gateways: dict[str, str] = Field(description="Gateway → region.")
    tenants: int = Field(24, ge=1)
    tenant_prefix: str = "team"
    season: SeasonSpec
    providers: tuple[ProviderSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = Field(min_length=1)
    incidents: tuple[IncidentSpec, ...]
    targets: tuple[TargetSpec, ...]
    limits: tuple[LimitSpec, ...] = ()
    counted: CountedSpec | None = None
    past: PastSpec | None = None

    def scaled_targets(self, rate: float) -> Iterator[tuple[TargetSpec, float, str]]:
        """Each target with its value at `rate` calls a second and a sentence that says how it was scaled."""
        for target in self.targets:
            value = target.at_most if target.at_most is not None else target.at_least
            if value is None:
                raise ConfigError(f"scenario {self.name}: {target.name}", "one of at_most or at_least must be given")
            if target.metric in ("tps", "peak_tps"):
                scaled = value * rate / self.full_rate
                yield target, scaled, f"{target.description}; scaled to this demo's rate: {scaled:.3g} instead of {value:g}"
            else:
                yield target, value, f"{target.description}; not scaled: it does not depend on the rate"


def scenario_names() -> list[str]:
    """Names of the scenarios that ship with tpscope."""
    return sorted(Path(entry.name).stem for entry in files("tpscope.scenarios").iterdir() if entry.name.endswith(".yaml"))


def load_scenario(name: str) -> Scenario:
    """The shipped scenario `name`; ConfigError names the ones there are."""
    if name not in scenario_names():
        raise ConfigError("--scenario", f"{name!r} is unknown; choose from {', '.join(scenario_names())}")
    text = files("tpscope.scenarios").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    try:
        return Scenario.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"scenario {name}: {where}", str(first["msg"])) from None
