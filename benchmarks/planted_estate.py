"""A simulated estate with eight inefficiencies planted into it, each of which can be left out: the truth for `bench_recommend`.

Beside them stands what only looks like one: a provider that is slow but cheap, and a tenant that writes long prompts and gets
long answers.

Each plant has randomness of its own, so that an estate without it is otherwise the same, call for call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from core.config import LimitSettings
from core.whatif import WhatIf
from tpscope.simulate.changed import RealChange
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import Columns, Floats, ScheduledIncident
from tpscope.simulate.scenario import IncidentSpec, Scenario

START = datetime(2026, 3, 3, tzinfo=UTC)
SPAN = timedelta(days=1)
RATE = 3.0
PLANTS = (
    "cache_route", "limit_tenant", "faster_provider", "cut_prompts", "retry_storm", "uneven_load", "gateway_bottleneck",
    "limit_level",
)  # fmt: skip
_STREAM = {name: 7000 + place for place, name in enumerate(PLANTS)}
_PROMPTS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """Where the plants are, drawn by the seed."""

    loud: str
    wordy: str
    impatient: str
    prompts_factor: float
    slow_factor: float
    retries: float
    busiest_share: float
    bottleneck_ms: float

    @classmethod
    def of(cls, seed: int) -> "Particulars":
        rng = np.random.default_rng([seed, 99])
        tenants = rng.choice(np.arange(3, 13), 3, replace=False)
        loud, wordy, impatient = (f"team-{number:02d}" for number in tenants)
        uniform = rng.uniform
        return cls(
            loud=loud, wordy=wordy, impatient=impatient, prompts_factor=float(uniform(3, 6)),
            slow_factor=float(uniform(1.5, 2.2)),
            retries=float(uniform(0.4, 1.5)), busiest_share=float(uniform(0.55, 0.75)), bottleneck_ms=float(uniform(60, 150)),
        )  # fmt: skip


def estate(seed: int, plants: tuple[str, ...] = PLANTS, day: int = 0) -> pa.Table:
    """A day of calls with the plants."""
    particulars = Particulars.of(seed)
    scenario = _scenario(particulars, plants)
    start = START + timedelta(days=day)
    change = _Planted(scenario, particulars, plants, seed)
    surges = [_surge(particulars, start + timedelta(hours=hour)) for hour in (9, 13, 19)] if "limit_tenant" in plants else []
    return TrafficGenerator(scenario, RATE, START, seed, change).generate(start, start + SPAN, surges)


def repaired(seed: int, plant: str) -> pa.Table:
    """The same day with one plant put right as its recommendation asks."""
    if plant in ("cache_route", "limit_tenant", "faster_provider"):
        particulars = Particulars.of(seed)
        change = _Planted(_scenario(particulars, PLANTS), particulars, PLANTS, seed, repaired=plant)
        surges = [_surge(particulars, START + timedelta(hours=hour)) for hour in (9, 13, 19)]
        return TrafficGenerator(change.scenario, RATE, START, seed, change).generate(START, START + SPAN, surges)
    return estate(seed, tuple(one for one in PLANTS if one != plant))


def provisioned(plants: tuple[str, ...] = PLANTS) -> tuple[LimitSettings, ...]:
    """Two limits: one that fits, and one that is planted far too high."""
    fitting = LimitSettings(name="catalog", kind="tps", selector={"service": "catalog"}, at_most=2.0)
    much = LimitSettings(name="checkout", kind="tps", selector={"service": "checkout"}, at_most=12.0)
    return (fitting, much) if "limit_level" in plants else (fitting,)


def _scenario(particulars: Particulars, plants: tuple[str, ...]) -> Scenario:
    model = {"prompt_tokens": 400, "completion_tokens": 120, "tokens_per_s": 100, "ttft_ms": 250, "usd_per_m_prompt": 1.0,
             "usd_per_m_completion": 3.0}  # fmt: skip
    slow = particulars.slow_factor if "faster_provider" in plants else 1.0
    tortoise = {**model, "name": "t-1", "tokens_per_s": 100 / slow}
    snail = {**model, "name": "s-1", "tokens_per_s": 60, "usd_per_m_prompt": 0.3, "usd_per_m_completion": 1.0}
    routes: list[dict[str, Any]] = [
        {"service": "checkout", "route": "/v1/orders", "share": 18, "latency_ms": 120},
        {"service": "checkout", "route": "/v1/cart", "share": 10, "latency_ms": 60},
        {"service": "catalog", "route": "/v1/products", "share": 16, "latency_ms": 40, "cache_hit_rate": 0.5},
        {"service": "catalog", "route": "/v1/stock", "share": 10, "latency_ms": 35},
        {"service": "search", "route": "/v1/search", "share": 12, "latency_ms": 80},
        {"service": "reports", "route": "/v1/exports", "share": 8, "latency_ms": 90},
        {"service": "chat", "route": "/v1/chat", "kind": "llm", "share": 12, "latency_ms": 20,
         "providers": ["hare", "tortoise"]},
        {"service": "answers", "route": "/v1/answers", "kind": "llm", "share": 8, "latency_ms": 20, "providers": ["hare"],
         "prompts": _PROMPTS if "cache_route" in plants else 0},
        {"service": "archive", "route": "/v1/archive", "kind": "llm", "share": 6, "latency_ms": 20,
         "providers": ["hare", "snail"]},
        {"service": "summaries", "route": "/v1/summaries", "kind": "llm", "share": 8, "latency_ms": 20, "providers": ["hare"]},
    ]  # fmt: skip
    return Scenario.model_validate(
        {
            "name": "planted",
            "title": "An estate with something to put right",
            "full_rate": 1000,
            "gateways": {"gw-1": "eu", "gw-2": "eu", "gw-3": "eu"},
            "tenants": 20,
            "season": {
                "hours": [0.6] * 6 + [0.9, 1.1, 1.2, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.2, 1.2, 1.1, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6],
                "weekdays": [1.0] * 7,
            },
            "providers": [
                {"name": "hare", "share": 1, "models": [{**model, "name": "h-1"}]},
                {"name": "snail", "share": 1, "latency_factor": 1.8, "models": [snail]},
                {"name": "tortoise", "share": 1, "latency_factor": slow, "models": [tortoise]},
            ],
            "routes": routes,
            "incidents": [],
            "targets": [],
        }
    )


def _surge(particulars: Particulars, start: datetime) -> ScheduledIncident:
    spec = IncidentSpec(
        name="loud", kind="surge", match={"tenant": particulars.loud, "service": "search"}, magnitude=60.0,
        duration=timedelta(minutes=25), description="one tenant sends far more than usual",
    )  # fmt: skip
    return ScheduledIncident(spec, start)


class _Planted:
    """Applies the plants, and what repairs one of them, to drawn calls."""

    def __init__(
        self, scenario: Scenario, particulars: Particulars, plants: tuple[str, ...], seed: int, repaired: str = ""
    ) -> None:
        self.scenario = scenario
        self._particulars, self._plants, self._seed, self._repaired = particulars, plants, seed, repaired

    def __call__(self, columns: Columns, routes: Any, slowdown: Floats, rng: np.random.Generator) -> Columns:
        _thorough(columns)
        for name, plant in _COLUMN_PLANTS.items():
            if name in self._plants or name == "uneven_load":
                plant(columns, self._particulars, np.random.default_rng([self._seed, _STREAM[name]]), name in self._plants)
        change = RealChange(self.scenario, self._changes(columns), self._seed)
        return change(columns, routes, slowdown, rng)

    def _changes(self, columns: Columns) -> WhatIf:
        """The service's own limit, which is always there, and the repair."""
        limits = [{"selector": {"service": "search"}, "per": "service", "rate": 0.9, "burst": 30}]
        more: dict[str, Any] = {}
        if self._repaired == "limit_tenant":
            rate = _ordinary_rate(columns, self._particulars.loud)
            limits.insert(
                0,
                {
                    "selector": {"service": "search", "tenant": self._particulars.loud},
                    "per": "tenant",
                    "rate": rate,
                    "burst": 10,
                },
            )
        if self._repaired == "cache_route":
            more["caches"] = [{"selector": {"route": "/v1/answers"}, "ttl": "1h", "entries": 10_000}]
        if self._repaired == "faster_provider":
            more["moves"] = [{"selector": {"provider": "tortoise"}, "share": 1.0, "to": {"provider": "hare"}}]
        return WhatIf.model_validate({"window": {"last": "1d"}, "rate_limits": limits, **more})


def _ordinary_rate(columns: Columns, tenant: str) -> float:
    """One and a half times the busiest of its ordinary minutes, calls/s."""
    theirs = columns["ts"][(columns["tenant"] == tenant) & (columns["service"] == "search")]
    by_minute = np.bincount(((theirs - columns["ts"][0]) // 60).astype(int))
    return 1.5 * max(float(np.quantile(by_minute, 0.9)), 1.0) / 60.0


def _thorough(columns: Columns) -> None:
    """No plant: `team-15` asks at length and is answered at length, which costs what it is worth."""
    theirs = (columns["tenant"] == "team-15") & (columns["route"] == "/v1/chat")
    for name in ("prompt_tokens", "completion_tokens", "cost_usd"):
        columns[name][theirs] *= 3.0


def _longer_prompts(columns: Columns, where: Particulars, rng: np.random.Generator, planted: bool) -> None:
    theirs = (columns["tenant"] == where.wordy) & (columns["route"] == "/v1/summaries") & np.isfinite(columns["cost_usd"])
    more = np.round(columns["prompt_tokens"][theirs] * (where.prompts_factor - 1.0))
    columns["prompt_tokens"][theirs] += more
    columns["cost_usd"][theirs] += more * 1e-6


def _retries(columns: Columns, where: Particulars, rng: np.random.Generator, planted: bool) -> None:
    theirs = columns["tenant"] == where.impatient
    columns["retries"][theirs] += rng.poisson(where.retries, int(theirs.sum()))


def _loads(columns: Columns, where: Particulars, rng: np.random.Generator, planted: bool) -> None:
    """Which gateway answers; and, planted or not, that a gateway takes longer the busier it is."""
    size = len(columns["ts"])
    names = np.array(["gw-1", "gw-2", "gw-3"], dtype=np.object_)
    rest = (1.0 - where.busiest_share) / 2
    shares = [where.busiest_share, rest, rest] if planted else [1 / 3] * 3
    picked = rng.choice(3, size=size, p=shares)
    columns["gateway"] = names[picked]
    slot = ((columns["ts"] - columns["ts"][0]) // 600).astype(np.int64)
    counts = np.bincount(picked * (slot.max() + 1) + slot, minlength=3 * (slot.max() + 1)).reshape(3, -1)
    busy = counts[picked, slot] / (RATE * 600 / 3)
    own = columns["latency_ms"] - columns["upstream_ms"]
    columns["latency_ms"] += np.where(np.isfinite(own), own * 2.0 * busy, 0.0)


def _bottleneck(columns: Columns, where: Particulars, rng: np.random.Generator, planted: bool) -> None:
    theirs = columns["route"] == "/v1/exports"
    columns["latency_ms"][theirs] += where.bottleneck_ms * np.exp(0.3 * rng.standard_normal(int(theirs.sum())))


_COLUMN_PLANTS: dict[str, Callable[[Columns, Particulars, np.random.Generator, bool], None]] = {
    "cut_prompts": _longer_prompts,
    "retry_storm": _retries,
    "uneven_load": _loads,
    "gateway_bottleneck": _bottleneck,
}


def truly(plant: str, where: Particulars) -> dict[str, str]:
    """What a finding must be about to be the plant's."""
    return {
        "cache_route": {"route": "/v1/answers"},
        "limit_tenant": {"service": "search", "tenant": where.loud},
        "faster_provider": {"service": "chat", "provider": "tortoise"},
        "cut_prompts": {"route": "/v1/summaries", "tenant": where.wordy},
        "retry_storm": {"tenant": where.impatient},
        "uneven_load": {"gateway": "gw-1"},
        "gateway_bottleneck": {"route": "/v1/exports"},
        "limit_level": {"service": "checkout"},
    }[plant]
