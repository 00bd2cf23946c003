"""Draws simulated calls: vectorised, seeded, the same for history and for live traffic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.record import FLAGS, RECORD_SCHEMA
from tpscope.simulate import incidents as effects
from tpscope.simulate.incidents import Columns, ScheduledIncident
from tpscope.simulate.scenario import IncidentSpec, ProviderSpec, RouteSpec, Scenario
from tpscope.simulate.traffic import Floats, RateProfile, arrivals, knot_noise, knots_of, wandering

_UTILISATION_AT_PEAK = 0.72
"""Load at the week's peak as a share of the simulated capacity: latency rises visibly but stays finite."""

_OBJECT = np.object_

_CHANGED, _PROMPTS = 911, 912
"""Streams of the randomness of a change and of prompts, which nothing else draws from."""

_ROUTES, _TENANTS, _PROVIDERS = 1, 2, 10
"""Streams of the noise by which shares and latencies wander."""


Change = Callable[[Columns, npt.NDArray[np.int64], Floats, np.random.Generator], Columns]
"""What turns calls into those of a changed gateway: from columns, routes, slowdowns and randomness."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider with one of its models and accounts, as a row to draw from."""

    provider: str
    account: str
    model: str
    latency_factor: float
    error_rate: float
    prompt_tokens: float
    completion_tokens: float
    tokens_per_s: float
    ttft_ms: float
    usd_per_prompt: float
    usd_per_completion: float


class TrafficGenerator:
    """Calls of a scenario over any span, deterministic in (seed, span).

    Parameters
    ----------
    rate : float
        Mean calls a second over a week at `anchor`.
    anchor : datetime
        When growth is 1.
    change : callable, optional
        What is really different in this gateway. It has randomness of its own: what it leaves alone stays as it was.
    """

    def __init__(self, scenario: Scenario, rate: float, anchor: datetime, seed: int = 1, change: Change | None = None) -> None:
        self.scenario = scenario
        self._change = change
        self.profile = RateProfile(scenario.season, rate, anchor.timestamp(), seed)
        self._seed = seed
        self._capacity = self.profile.peak() / _UTILISATION_AT_PEAK
        self._shares = np.array([route.share for route in scenario.routes])
        self._shares = self._shares / self._shares.sum()
        self._upstreams = [upstreams_of(route, scenario.providers) for route in scenario.routes]
        ranks = np.arange(1, scenario.tenants + 1)
        self._tenant_weights = (1.0 / ranks**0.7) / (1.0 / ranks**0.7).sum()
        self._tenants = np.array([f"{scenario.tenant_prefix}-{rank:02d}" for rank in ranks], dtype=_OBJECT)

    def generate(self, start: datetime, end: datetime, incidents: Sequence[ScheduledIncident] = ()) -> pa.Table:
        """Calls with `start` ≤ ts < `end`, sorted by ts, as a table of RECORD_SCHEMA."""
        rng = np.random.default_rng(self._stream(start))
        touching = [incident for incident in incidents if incident.start < end and incident.end > start]
        step_s = 1.0 if (end - start) <= timedelta(hours=1) else 10.0
        steps = max(int(np.ceil((end - start).total_seconds() / step_s)), 1)
        step_s = (end - start).total_seconds() / steps
        at: Floats = start.timestamp() + (np.arange(steps, dtype=np.float64) + 0.5) * step_s
        rates = self.profile.rate(at)
        seconds = arrivals(start.timestamp(), rates, step_s, rng)
        routes = self._drawn(seconds, self._shares, _ROUTES, rng)
        seconds, routes, forced, extra = self._with_surges(seconds, routes, at, rates, step_s, touching, rng)
        load = np.interp(seconds, at, (rates + extra) / self._capacity)
        tenants = np.where(forced >= 0, forced, self._drawn(seconds, self._tenant_weights, _TENANTS, rng))
        columns = self._columns(seconds, routes, tenants, load, rng)
        self._repeat_prompts(columns, routes, start)
        if self._change is not None:
            columns = self._change(columns, routes, slowdown_at(load), np.random.default_rng([*self._stream(start), _CHANGED]))
        return _table(effects.apply(columns, touching, rng))

    def _stream(self, start: datetime) -> list[int]:
        return [self._seed, int(start.timestamp() * 1000)]

    def _repeat_prompts(self, columns: Columns, routes: npt.NDArray[np.int64], start: datetime) -> None:
        """Where a route has so many prompts and no more: the second is asked half as often as the first (Zipf's law)."""
        rng = np.random.default_rng([*self._stream(start), _PROMPTS])
        for index, spec in enumerate(self.scenario.routes):
            asked = np.flatnonzero((routes == index) & ~(columns["cache_hit"] == 1.0))
            if spec.prompts and len(asked):
                weights = np.cumsum(1.0 / np.arange(1, spec.prompts + 1))
                rank = np.searchsorted(weights, rng.random(len(asked)) * weights[-1])
                columns["prompt_hash"][asked] = (rank + 1 + index * 10_000_000).astype(np.uint64)

    def _drawn(self, seconds: Floats, shares: Floats, stream: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """One of the shares for each (sorted) instant; where the mix wanders, by the shares of its knot."""
        spread = self.scenario.season.mix_wander
        if spread == 0.0 or not len(seconds):
            return rng.choice(len(shares), size=len(seconds), p=shares)
        knots, first, counts = np.unique(knots_of(seconds), return_index=True, return_counts=True)
        noise = np.exp(spread * knot_noise(int(knots[0]), int(knots[-1] - knots[0]) + 1, len(shares), self._seed, stream))
        drawn = np.empty(len(seconds), dtype=np.int64)
        for knot, at, count in zip(knots - knots[0], first, counts, strict=True):
            weights = shares * noise[knot]
            drawn[at : at + count] = rng.choice(len(shares), size=count, p=weights / weights.sum())
        return drawn

    def _with_surges(
        self,
        seconds: Floats,
        routes: npt.NDArray[np.int64],
        at: Floats,
        rates: Floats,
        step_s: float,
        incidents: Sequence[ScheduledIncident],
        rng: np.random.Generator,
    ) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
        """Add the calls that surges bring; returns instants, routes, tenants (-1: any) and the extra rate per step."""
        extra = np.zeros_like(rates)
        forced = np.full(len(seconds), -1, dtype=np.int64)
        for incident in incidents:
            if incident.spec.kind != "surge":
                continue
            tenant = self._tenant_of(incident.spec)
            wanted = {name: value for name, value in incident.spec.match.items() if name != "tenant"}
            touched = np.array([_route_matches(route, wanted) for route in self.scenario.routes])
            share = self._shares[touched].sum() * (self._tenant_weights[tenant] if tenant >= 0 else 1.0)
            inside = (at >= incident.start.timestamp()) & (at < incident.end.timestamp())
            more = rates * inside * share * (incident.spec.magnitude - 1.0)
            added = arrivals(at[0] - step_s / 2, more, step_s, rng)
            weights = np.where(touched, self._shares, 0.0)
            picked = rng.choice(len(weights), size=len(added), p=weights / weights.sum())
            seconds, routes = np.concatenate([seconds, added]), np.concatenate([routes, picked])
            forced = np.concatenate([forced, np.full(len(added), tenant)])
            extra = extra + more
        order = np.argsort(seconds, kind="stable")
        return seconds[order], routes[order], forced[order], extra

    def _tenant_of(self, spec: IncidentSpec) -> int:
        """Number of the tenant that a surge is of; -1 where it is of all of them."""
        found = np.flatnonzero(self._tenants == spec.match.get("tenant"))
        return int(found[0]) if len(found) else -1

    def _columns(
        self,
        seconds: Floats,
        routes: npt.NDArray[np.int64],
        tenants: npt.NDArray[np.int64],
        load: Floats,
        rng: np.random.Generator,
    ) -> Columns:
        size = len(seconds)
        scenario = self.scenario
        specs = scenario.routes
        gateways = np.array(list(scenario.gateways), dtype=_OBJECT)
        picked_gateway = rng.integers(0, len(gateways), size)
        regions = np.array(list(scenario.gateways.values()), dtype=_OBJECT)
        of = _PerRoute(specs, routes)
        columns: Columns = {
            "ts": seconds,
            "request_id": _hex_ids(rng, size),
            "trace_id": _empty(size),
            "gateway": gateways[picked_gateway],
            "region": regions[picked_gateway],
            "tenant": self._tenants[tenants],
            "service": of.text("service"),
            "route": of.text("route"),
            "method": of.text("method"),
            "kind": of.text("kind"),
            **{name: _empty(size) for name in ("provider", "account", "upstream", "requested_model", "model", "error_type")},
            "status": np.full(size, 200.0),
            **{name: np.full(size, np.nan) for name in ("first_byte_ms", "ttft_ms", "prompt_tokens", "completion_tokens")},
            **{name: np.full(size, np.nan) for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens")},
            "cost_usd": np.full(size, np.nan),
            "stream": np.full(size, np.nan),
            "fallback": np.zeros(size),
            "retries": (rng.random(size) < 0.01).astype(np.float64),
            "prompt_hash": np.zeros(size, dtype=np.uint64),
            "bytes_in": log_normal(rng, of.number("bytes_in"), 0.5),
            "bytes_out": log_normal(rng, of.number("bytes_out"), 0.7),
        }
        hit_rate = of.number("cache_hit_rate")
        hit = rng.random(size) < hit_rate
        columns["cache_hit"] = np.where(hit_rate > 0, hit.astype(np.float64), np.nan)
        slowdown = slowdown_at(load)
        overhead = log_normal(rng, np.full(size, 3.0), 0.4)
        upstream = log_normal(rng, of.number("latency_ms"), of.number("sigma")) * slowdown
        failing = rng.random(size) < of.number("error_rate")
        for index, spec in enumerate(specs):
            if spec.providers:
                chosen = np.flatnonzero((routes == index) & ~(hit & (spec.kind in ("llm", "ai"))))
                failing[chosen] |= self._call_providers(columns, index, chosen, upstream, slowdown, rng)
        upstream = np.where(hit, np.minimum(upstream, 4.0), upstream)
        columns["upstream_ms"] = np.where(hit, np.nan, upstream)
        columns["latency_ms"] = upstream + overhead
        columns["first_byte_ms"] = np.where(np.isnan(columns["ttft_ms"]), np.nan, columns["ttft_ms"] * 0.95)
        _statuses(columns, failing, of.number("rate_limited"), rng)
        return columns

    def _call_providers(
        self,
        columns: Columns,
        route: int,
        chosen: npt.NDArray[np.int64],
        upstream: Floats,
        slowdown: Floats,
        rng: np.random.Generator,
    ) -> npt.NDArray[np.bool_]:
        """Fill in what a provider adds to the calls of one route; returns which of them the provider failed."""
        table, weights = self._upstreams[route]
        picks = rng.choice(len(table), size=len(chosen), p=weights)
        spec = self.scenario.routes[route]

        def pick(name: str, dtype: Any = np.float64) -> npt.NDArray[Any]:
            return np.array([getattr(row, name) for row in table], dtype=dtype)[picks]

        columns["provider"][chosen] = pick("provider", _OBJECT)
        columns["account"][chosen] = pick("account", _OBJECT)
        columns["model"][chosen] = columns["requested_model"][chosen] = pick("model", _OBJECT)
        upstream[chosen] *= pick("latency_factor")
        wander = provider_wander(self.scenario, self._seed, columns["ts"][chosen], columns["provider"][chosen])
        if spec.kind in ("llm", "ai") and len(chosen):
            prompt = np.round(log_normal(rng, pick("prompt_tokens"), 0.5)).clip(1)
            answer = np.round(log_normal(rng, pick("completion_tokens"), 0.45)).clip(1)
            ttft = log_normal(rng, pick("ttft_ms"), 0.3) * slowdown[chosen] * pick("latency_factor") * wander
            upstream[chosen] += ttft + answer / pick("tokens_per_s") * 1000.0 * wander
            streamed = (rng.random(len(chosen)) < 0.7) & (spec.kind == "llm")
            columns["ttft_ms"][chosen] = np.where(streamed, ttft + 3.0, np.nan)
            columns["stream"][chosen] = streamed
            columns["prompt_tokens"][chosen] = prompt
            columns["completion_tokens"][chosen] = answer
            columns["cost_usd"][chosen] = prompt * pick("usd_per_prompt") + answer * pick("usd_per_completion")
            columns["prompt_hash"][chosen] = rng.integers(1, 2**63, len(chosen), dtype=np.uint64)
        else:
            upstream[chosen] *= wander
        failed: npt.NDArray[np.bool_] = rng.random(len(chosen)) < pick("error_rate")
        return failed


def provider_wander(scenario: Scenario, seed: int, seconds: Floats, names: npt.NDArray[Any]) -> Floats:
    """The factor by which each call's provider is slower than usual at that instant."""
    factor = np.ones(len(seconds))
    for number, provider in enumerate(scenario.providers):
        if provider.wander > 0.0:
            own = names == provider.name
            factor[own] = wandering(seconds[own], provider.wander, seed, _PROVIDERS + number)
    return factor


class _PerRoute:
    """Looks a route's property up for every call at once."""

    def __init__(self, specs: Sequence[RouteSpec], routes: npt.NDArray[np.int64]) -> None:
        self._specs, self._routes = specs, routes

    def text(self, name: str) -> npt.NDArray[Any]:
        return np.array([getattr(spec, name) for spec in self._specs], dtype=_OBJECT)[self._routes]

    def number(self, name: str) -> Floats:
        values: Floats = np.array([getattr(spec, name) for spec in self._specs], dtype=np.float64)[self._routes]
        return values


def _statuses(columns: Columns, failing: npt.NDArray[np.bool_], limited: Floats, rng: np.random.Generator) -> None:
    size = len(failing)
    draw = rng.random(size)
    columns["status"][draw < 0.008] = 404.0
    is_limited = ~failing & (rng.random(size) < limited)
    columns["status"][is_limited] = 429.0
    columns["error_type"][is_limited] = "rate_limit"
    columns["status"][failing] = rng.choice(np.array([500.0, 502.0, 503.0, 504.0]), int(failing.sum()))
    columns["error_type"][failing] = "upstream"
    for name in ("ttft_ms", "first_byte_ms", "prompt_tokens", "completion_tokens", "cost_usd"):
        columns[name][failing | is_limited] = np.nan


def upstreams_of(route: RouteSpec, providers: Sequence[ProviderSpec]) -> tuple[list[Upstream], Floats]:
    """Every provider × account × model that serves a route, with the weights to draw them by."""
    rows: list[Upstream] = []
    weights: list[float] = []
    for provider in (candidate for candidate in providers if candidate.name in route.providers):
        total = sum(model.share for model in provider.models) or 1.0
        for account in provider.accounts:
            for model in provider.models or (None,):
                share = provider.share / len(provider.accounts)
                weights.append(share * (model.share / total if model else 1.0))
                rows.append(
                    Upstream(
                        provider=provider.name,
                        account=account,
                        model=model.name if model else "",
                        latency_factor=provider.latency_factor,
                        error_rate=provider.error_rate,
                        prompt_tokens=model.prompt_tokens if model else 0.0,
                        completion_tokens=model.completion_tokens if model else 0.0,
                        tokens_per_s=model.tokens_per_s if model else 1.0,
                        ttft_ms=model.ttft_ms if model else 0.0,
                        usd_per_prompt=(model.usd_per_m_prompt if model else 0.0) / 1e6,
                        usd_per_completion=(model.usd_per_m_completion if model else 0.0) / 1e6,
                    )
                )
    weighted = np.asarray(weights, dtype=np.float64)
    return rows, weighted / weighted.sum() if len(weighted) else weighted


def _route_matches(route: RouteSpec, match: dict[str, str]) -> bool:
    return all(getattr(route, name, None) == value for name, value in match.items())


def slowdown_at(load: Floats) -> Floats:
    """By which factor upstreams are slower at a load (1: all of the capacity)."""
    bounded = np.clip(load, 0.0, 0.97)
    slower: Floats = 1.0 + 0.9 * bounded**3 / (1.0 - bounded)
    return slower


def log_normal(rng: np.random.Generator, median: Floats, sigma: Floats | float) -> Floats:
    values: Floats = median * np.exp(sigma * rng.standard_normal(len(median)))
    return values


def _empty(size: int) -> npt.NDArray[Any]:
    return np.full(size, "", dtype=_OBJECT)


def _hex_ids(rng: np.random.Generator, size: int) -> npt.NDArray[Any]:
    """Random 16-digit request ids, made without a Python loop over calls."""
    raw = rng.bytes(8 * size).hex()
    return np.array([raw], dtype=f"<U{max(16 * size, 1)}").view("<U16") if size else np.empty(0, dtype="<U16")


def _table(columns: Columns) -> pa.Table:
    """Arrow columns of RECORD_SCHEMA; NaN becomes NULL."""
    size = len(columns["ts"])
    arrays = []
    for field in RECORD_SCHEMA:
        if field.name == "ts":
            arrays.append(pa.array((columns["ts"] * 1000).astype(np.int64)).cast(field.type))
        elif field.name == "attributes":
            arrays.append(pa.MapArray.from_arrays(np.zeros(size + 1, dtype=np.int32), _no_text(), _no_text()))
        elif pa.types.is_string(field.type):
            arrays.append(pa.array(columns[field.name], type=pa.string()))
        elif field.name == "prompt_hash":
            arrays.append(pa.array(columns["prompt_hash"]))
        else:
            values = np.asarray(columns[field.name], dtype=np.float64)
            numbers = values if pa.types.is_floating(field.type) else np.nan_to_num(np.round(values))
            unknown = np.isnan(values)
            typed = pa.array(numbers != 0 if field.name in FLAGS else numbers, mask=unknown)
            arrays.append(typed.cast(field.type, safe=False))
    return pa.table(arrays, schema=RECORD_SCHEMA)


def _no_text() -> pa.Array:
    return pa.array([], type=pa.string())
