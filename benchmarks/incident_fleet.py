"""The gateway and the incidents that `bench_incidents` judges by: one simulated fleet of about 200 selections, and a plan by
seed.

The fleet and the plan are frozen (docs/decisions/0012-frozen-incident-judge.md): figures of different days can only be compared
if they are of the same incidents. What is tuned is tuned on `TUNING_SEEDS` alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tpscope.simulate.incidents import ScheduledIncident
from tpscope.simulate.scenario import IncidentSpec, Scenario

TUNING_SEEDS = (1, 2, 3)
JUDGING_SEEDS = (501, 502, 503)

START = datetime(2026, 3, 2, tzinfo=UTC)
LEARNED = timedelta(days=7)
"""The first week has no incident: what is normal is learned from it."""
_AFTERMATH = timedelta(minutes=75)
_DIP_REPEATS = 3

_SERVICES: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "checkout": ("api", 20, ("orders", "orders/{id}", "cart", "vouchers")),
    "payments": ("pay", 14, ("charges", "refunds", "payouts")),
    "catalog": ("cached", 22, ("products", "products/{id}", "prices", "stock", "images")),
    "search": ("cached", 12, ("search", "suggest", "facets")),
    "accounts": ("api", 10, ("login", "profile", "sessions", "consents")),
    "shipping": ("api", 8, ("rates", "labels", "tracking/{id}")),
    "chat": ("llm", 12, ("chat/completions", "threads", "summaries")),
    "assist": ("ai", 9, ("recommendations", "rewrite", "classify", "extract")),
    "media": ("api", 7, ("upload", "thumbnails", "transcode")),
    "reports": ("api", 6, ("daily", "exports", "funnels")),
}
_LLM = ("openai", "anthropic", "mistral", "bedrock")
_PAYMENT = ("stripe", "adyen", "paypal")
_ROUTE_WEIGHTS = (5.0, 3.0, 2.0, 1.5, 1.0)
_TENANTS = 120


def fleet() -> Scenario:
    """4 gateways, 10 services, 35 routes, 7 providers, 12 models, 120 tenants: with all traffic 189 selections."""
    return Scenario.model_validate(
        {
            "name": "fleet",
            "title": "A fleet of gateways for API and LLM traffic",
            "full_rate": 20_000,
            "gateways": {"gw-eu-1": "eu", "gw-eu-2": "eu", "gw-us-1": "us", "gw-us-2": "us"},
            "tenants": _TENANTS,
            "tenant_prefix": "tenant",
            "season": {
                "hours": [
                    0.60, 0.54, 0.50, 0.50, 0.54, 0.62, 0.75, 0.90, 1.05, 1.15, 1.22, 1.25, 1.24, 1.25, 1.27, 1.26, 1.22, 1.18,
                    1.16, 1.18, 1.15, 1.05, 0.90, 0.74,
                ],
                "weekdays": [1.05, 1.08, 1.08, 1.06, 1.02, 0.86, 0.85],
                "growth_per_week": 0.02,
                "wander": 0.05,
                "mix_wander": 0.12,
            },
            "providers": [*_payment_providers(), *_llm_providers()],
            "routes": [route for service in _SERVICES for route in _routes(service)],
            "incidents": [],
            "targets": [],
        }
    )  # fmt: skip


def _payment_providers() -> list[dict[str, Any]]:
    shares, factors = (6, 3, 2), (1.0, 1.15, 1.4)
    return [
        {"name": name, "share": share, "latency_factor": factor, "error_rate": 0.004, "wander": 0.06}
        for name, share, factor in zip(_PAYMENT, shares, factors, strict=True)
    ]


def _llm_providers() -> list[dict[str, Any]]:
    providers = []
    for number, (name, share) in enumerate(zip(_LLM, (6, 4, 3, 3), strict=True)):
        models = [
            {
                "name": f"{name}-{size}", "share": weight, "prompt_tokens": 450 + 130 * rank + 40 * number,
                "completion_tokens": 130 + 50 * rank, "tokens_per_s": 95 - 20 * rank, "ttft_ms": 230 + 60 * rank,
                "usd_per_m_prompt": 0.2 * 4**rank, "usd_per_m_completion": 0.8 * 4**rank,
            }
            for rank, (size, weight) in enumerate((("small", 5), ("medium", 3), ("large", 2)))
        ]  # fmt: skip
        providers.append(
            {
                "name": name, "share": share, "latency_factor": 1.0 + 0.08 * number, "error_rate": 0.005, "wander": 0.08,
                "accounts": ["prod-1", "prod-2"], "models": models,
            }
        )  # fmt: skip
    return providers


def _routes(service: str) -> list[dict[str, Any]]:
    kind, share, names = _SERVICES[service]
    weights = np.array(_ROUTE_WEIGHTS[: len(names)])
    weights = share * weights / weights.sum()
    routes = []
    for rank, (name, weight) in enumerate(zip(names, weights, strict=True)):
        route: dict[str, Any] = {"service": service, "route": f"/v1/{service}/{name}", "share": float(weight), "sigma": 0.45}
        route["latency_ms"] = {"api": 90, "cached": 55, "pay": 300, "llm": 25, "ai": 30}[kind] * (1.0 + 0.35 * rank)
        if kind == "cached":
            route["cache_hit_rate"] = 0.62 - 0.08 * rank
        if kind in ("llm", "ai"):
            route |= {"kind": kind, "providers": _LLM, "cache_hit_rate": 0.08 + 0.04 * rank, "latency_ms": 25.0}
        if kind == "pay":
            route["providers"] = _PAYMENT
        routes.append(route)
    return routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An incident with what must be found: how soon, and the selection that must be named."""

    incident: ScheduledIncident
    kind: str
    within: timedelta
    truth: dict[str, str]


_SOON, _CREEPING = timedelta(minutes=5), timedelta(hours=1)

Draw = Callable[[np.random.Generator], tuple[str, dict[str, str], float, int, str]]
"""Kind of the simulator, what it matches, magnitude, minutes, and `into`."""


def _kinds() -> dict[str, Draw]:
    """Each kind of incident with how its particulars are drawn."""

    def route_of(rng: np.random.Generator, kinds: tuple[str, ...], most: int = 3) -> str:
        services = [name for name, (kind, _, _) in _SERVICES.items() if kind in kinds]
        service = services[rng.integers(len(services))]
        names = _SERVICES[service][2][:most]
        return f"/v1/{service}/{names[rng.integers(len(names))]}"

    def one(rng: np.random.Generator, values: tuple[str, ...] | list[str]) -> str:
        return values[rng.integers(len(values))]

    def tenant(rng: np.random.Generator, most: int = 20) -> str:
        return f"tenant-{rng.integers(1, most + 1):02d}"

    def uniform(rng: np.random.Generator, low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    models = [f"{provider}-{size}" for provider in _LLM for size in ("small", "medium")]
    gateways = ["gw-eu-1", "gw-eu-2", "gw-us-1", "gw-us-2"]
    any_service = list(_SERVICES)
    every = ("api", "cached", "pay", "llm", "ai")
    return {
        "provider outage": lambda rng: (
            "outage", {"provider": one(rng, (*_LLM, *_PAYMENT))}, uniform(rng, 0.4, 1.0), int(rng.integers(12, 40)), ""),
        "route of a provider fails": lambda rng: (
            "outage", {"provider": one(rng, _PAYMENT[:2]), "route": "/v1/payments/charges"},
            uniform(rng, 0.6, 1.0), int(rng.integers(15, 40)), ""),
        "rate limiting": lambda rng: (
            "rate_limit", {"provider": one(rng, _LLM)}, uniform(rng, 0.35, 0.8), int(rng.integers(15, 45)), ""),
        "tenant rate-limited": lambda rng: (
            "rate_limit", {"tenant": tenant(rng, 12)}, uniform(rng, 0.5, 0.9), int(rng.integers(15, 45)), ""),
        "cache collapse": lambda rng: (
            "cache_collapse", {"service": one(rng, ("catalog", "search"))}, uniform(rng, 0.8, 1.0), int(rng.integers(15, 45)),
            ""),
        "surge": lambda rng: (
            "surge", {"service": one(rng, any_service)}, uniform(rng, 2.5, 4.5), int(rng.integers(12, 40)), ""),
        "burst of one tenant": lambda rng: (
            "surge", {"tenant": tenant(rng)}, uniform(rng, 5.0, 12.0), int(rng.integers(12, 40)), ""),
        "new model version is slower": lambda rng: _new_model(rng, models),
        "gateway fails": lambda rng: (
            "outage", {"gateway": one(rng, gateways)}, uniform(rng, 0.15, 0.5), int(rng.integers(12, 40)), ""),
        "gateway is slow": lambda rng: (
            "slow", {"gateway": one(rng, gateways)}, uniform(rng, 2.0, 4.0), int(rng.integers(12, 40)), ""),
        "token runaway": lambda rng: (
            "token_runaway", {"model": one(rng, models)}, uniform(rng, 4.0, 8.0), int(rng.integers(20, 50)), ""),
        "token growth": lambda rng: (
            "token_growth", {"model": one(rng, models)}, uniform(rng, 4.0, 7.0), int(rng.integers(90, 150)), ""),
        "latency creep of a route": lambda rng: (
            "latency_creep", {"route": route_of(rng, every, 2)}, uniform(rng, 3.0, 5.0), int(rng.integers(80, 150)), ""),
        "latency creep of a provider": lambda rng: (
            "latency_creep", {"provider": one(rng, (*_LLM, *_PAYMENT))}, uniform(rng, 2.5, 4.0), int(rng.integers(80, 150)),
            ""),
        "silent route": lambda rng: (
            "silence", {"route": route_of(rng, ("api", "cached", "pay"), 2)}, 1.0, int(rng.integers(20, 50)), ""),
        "recurring dip": lambda rng: (
            "dip", {"service": one(rng, any_service[:6])}, uniform(rng, 0.6, 0.85), int(rng.integers(20, 40)), ""),
    }  # fmt: skip


def _new_model(rng: np.random.Generator, models: list[str]) -> tuple[str, dict[str, str], float, int, str]:
    model = models[rng.integers(len(models))]
    return "new_model", {"model": model}, float(rng.uniform(2.0, 3.5)), int(rng.integers(30, 70)), f"{model}-next"


def planned(seed: int, count: int, end: datetime, only: Sequence[str] = ()) -> list[Planned]:
    """`count` incidents spread over the time from `START + LEARNED` to `end`, in order, each kind (of `only`) equally often.

    Between two of them lie at least 75 minutes. A recurring dip comes on three days in a row at the same time and is three.
    """
    rng = np.random.default_rng([seed, 4242])
    kinds = _kinds()
    names = list(only or kinds)
    order = [names[place] for lap in range(-(-count // len(names))) for place in rng.permutation(len(names))]
    taken: list[tuple[datetime, datetime]] = []
    plan: list[Planned] = []
    for name in order:
        if len(plan) >= count:
            break
        kind, match, magnitude, minutes, into = kinds[name](rng)
        repeats = min(_DIP_REPEATS if name == "recurring dip" else 1, count - len(plan))
        length = timedelta(minutes=minutes)
        for start in _free_times(rng, taken, length, repeats, end):
            spec = IncidentSpec(
                name=f"{len(plan):02d} {name}", kind=kind, match=match, magnitude=magnitude, duration=length, into=into,
                description=name,
            )  # fmt: skip
            taken.append((start, start + length))
            plan.append(
                Planned(
                    incident=ScheduledIncident(spec, start),
                    kind=name,
                    within=_CREEPING if kind in ("latency_creep", "token_growth") else _SOON,
                    truth={"model": into} if into else match,
                )
            )
    return sorted(plan, key=lambda one: one.incident.start)


def _free_times(
    rng: np.random.Generator, taken: list[tuple[datetime, datetime]], length: timedelta, repeats: int, end: datetime
) -> list[datetime]:
    """Starts on consecutive days at one second of the day, clear of what is taken. Raises ValueError where none is left."""
    first = START + LEARNED
    room_s = (end - first - length - timedelta(days=repeats - 1, hours=1)).total_seconds()
    for _ in range(10_000):
        start = first + timedelta(hours=1, seconds=int(rng.uniform(0.0, room_s)))
        starts = [start + timedelta(days=day) for day in range(repeats)]
        if all(at + length + _AFTERMATH < low or at > high + _AFTERMATH for at in starts for low, high in taken):
            return starts
    raise ValueError("so many incidents do not fit into the span; ask for fewer, or for more weeks")
