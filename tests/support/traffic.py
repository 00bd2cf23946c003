"""A small gateway in numpy: every call is drawn, then added up to minute panels in the layout of `storage.series.read_panel`.

The judge of detection. Frozen before detection was tuned; tuning used the seeds in `TUNING_SEEDS`, quality is reported on
`JUDGEMENT_SEEDS`. It is deliberately not the demo's simulator: shapes, noise and sizes differ.

What is in it: two API and two LLM services with three routes each, three gateways, three providers with two models each, thirty
tenants of very different size (a third works office hours only); a day and a week shape, growth, noise that lasts
(autoregressive, by minute and by day), Poisson arrivals, log-normal latencies that rise with load, tokens, costs, errors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY_MINUTES = 1440
TUNING_SEEDS = (1, 2, 3)
JUDGEMENT_SEEDS = (101, 102, 103, 104)

NAMES: dict[str, tuple[str, ...]] = {
    "gateway": ("gw-a", "gw-b", "gw-c"),
    "service": ("checkout", "catalog", "chat", "summary"),
    "route": tuple(f"/{service}/{verb}" for service in ("checkout", "catalog", "chat", "summary") for verb in ("a", "b", "c")),
    "provider": ("openai", "anthropic", "mistral"),
    "model": ("gpt-large", "gpt-small", "claude-large", "claude-small", "mistral-large", "mistral-small"),
    "tenant": tuple(f"tenant-{number:02d}" for number in range(1, 31)),
}
SCOPES: tuple[tuple[str, ...], ...] = ((), ("gateway",), ("service",), ("route",), ("provider",), ("model",), ("tenant",))
METRICS = (
    "tps", "error_rate", "rate_limited_rate", "latency_p50", "latency_p95", "tokens_per_s", "cost_per_h", "cache_hit_rate",
)  # fmt: skip

_SERVICE_SHARE = np.array([0.25, 0.20, 0.35, 0.20])
_ROUTE_SHARE = np.array([0.5, 0.3, 0.2])
_MODEL_SHARE = np.array([0.25, 0.20, 0.20, 0.15, 0.12, 0.08])
_LATENCY_MS = np.array([90.0, 40.0, 900.0, 1400.0])
_MODEL_LATENCY = np.array([1.3, 0.7, 1.2, 0.8, 1.0, 0.6])
_USD_PER_TOKEN = np.array([10.0, 0.6, 12.0, 1.0, 6.0, 0.4]) * 1e-6
_TENANT_SHARE = 1.0 / np.arange(1, 31) ** 0.9
_OFFICE_ONLY = np.arange(30) % 3 == 2

Kind = Literal["provider_failure", "latency_creep", "surge", "token_runaway", "silent_route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One scripted fault: minutes count from the start of the traffic; `target` is an index into the names of its dimension.

    `magnitude` is the failing share (provider_failure), a factor (latency_creep, surge, token_runaway), unused (silent_route).
    """

    kind: Kind
    start: int
    minutes: int
    target: int = 0
    magnitude: float = 3.0

    def covers(self, minute: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return (minute >= self.start) & (minute < self.start + self.minutes)


class Traffic:
    """Seeded traffic of `days` days from `start` (a Monday), `rate` calls a second on average over the first week."""

    def __init__(self, seed: int, days: int, rate: float = 5.0, start: datetime = MONDAY) -> None:
        self.start = start
        self.days = days
        self._seed = seed
        rng = np.random.default_rng([seed, 0])
        minutes = np.arange(days * DAY_MINUTES)
        self._service_rate = _service_rates(rng, minutes, days, rate)
        self._load = self._service_rate.sum(0) / self._service_rate.sum(0)[: 7 * DAY_MINUTES].max()
        self._service_latency = np.exp(np.stack([_noise(rng, len(minutes), 0.9, 0.07) for _ in range(4)]))
        self._provider_latency = np.exp(np.stack([_noise(rng, len(minutes), 0.95, 0.05) for _ in range(3)]))
        self._provider_errors = np.exp(np.stack([_noise(rng, len(minutes), 0.98, 0.2) for _ in range(3)]))

    def panels(
        self, first_day: int, last_day: int, incidents: Sequence[Incident] = (), scopes: Iterable[tuple[str, ...]] = SCOPES
    ) -> dict[tuple[str, ...], pd.DataFrame]:
        """Minute panels of days `first_day` ≤ day < `last_day`, one frame[ts, *by, calls, metrics…] per scope."""
        parts: dict[tuple[str, ...], list[pd.DataFrame]] = {scope: [] for scope in scopes}
        for day in range(first_day, last_day):
            columns = _sorted(self._calls(day, incidents))
            for scope, frames in parts.items():
                frames.append(self._panel(columns, scope))
        return {
            scope: pd.concat(frames, ignore_index=True).sort_values([*scope, "ts"], ignore_index=True)
            for scope, frames in parts.items()
        }

    def at(self, minute: int) -> datetime:
        return self.start + timedelta(minutes=minute)

    def _calls(self, day: int, incidents: Sequence[Incident]) -> Columns:
        rng = np.random.default_rng([self._seed, 1, day])
        here = np.arange(day * DAY_MINUTES, (day + 1) * DAY_MINUTES)
        rate = self._service_rate[:, here].copy()
        for incident in incidents:
            if incident.kind == "surge":
                rate *= np.where(incident.covers(here), incident.magnitude, 1.0)
        counts = rng.poisson(rate * 60.0)
        minute = np.concatenate([np.repeat(here, row) for row in counts])
        service = np.repeat(np.arange(4), counts.sum(1))
        size = len(minute)
        columns: Columns = {
            "minute": minute,
            "service": service,
            "route": service * 3 + rng.choice(3, size, p=_ROUTE_SHARE),
            "gateway": rng.choice(3, size, p=[0.4, 0.35, 0.25]),
            "tenant": _tenants(rng, minute),
        }
        llm = service >= 2
        columns["model"] = np.where(llm, rng.choice(6, size, p=_MODEL_SHARE), -1)
        columns["provider"] = np.where(llm, columns["model"] // 2, -1)
        self._measure(columns, llm, rng)
        _apply(columns, incidents, rng)
        columns["cost"] = columns["tokens"] * np.where(llm, _USD_PER_TOKEN[columns["model"]], 0.0)
        for incident in incidents:
            if incident.kind == "silent_route":
                keep = ~(incident.covers(columns["minute"]) & (columns["route"] == incident.target))
                columns = {name: values[keep] for name, values in columns.items()}
        return columns

    def _measure(self, columns: Columns, llm: npt.NDArray[np.bool_], rng: np.random.Generator) -> None:
        minute, service, model, provider = (columns[name] for name in ("minute", "service", "model", "provider"))
        size = len(minute)
        noise = np.where(llm, self._provider_latency[provider, minute], 1.0) * self._service_latency[service, minute]
        load = 1.0 + 0.3 * self._load[minute] ** 2
        base = _LATENCY_MS[service] * np.where(llm, _MODEL_LATENCY[model], 1.0) * (1.0 + 0.2 * (columns["route"] % 3))
        columns["cache_hit"] = (llm & (rng.random(size) < 0.2)).astype(float)
        columns["latency"] = base * load * noise * rng.lognormal(0.0, 0.5, size) * np.where(columns["cache_hit"] > 0, 0.05, 1.0)
        rate = np.where(llm, 0.008 * self._provider_errors[provider, minute], 0.004)
        columns["error"] = (rng.random(size) < rate).astype(float)
        columns["limited"] = ((columns["error"] == 0) & (rng.random(size) < 0.003)).astype(float)
        tokens = rng.lognormal(np.log(500.0), 0.8, size) + rng.lognormal(np.log(250.0), 0.7, size)
        columns["tokens"] = np.where(llm & (columns["error"] == 0), np.round(tokens), 0.0)

    def _panel(self, columns: Columns, by: tuple[str, ...]) -> pd.DataFrame:
        """Add calls up by minute and the dimension in `by` (none or one); rows only where there are calls."""
        code = columns[by[0]] if by else np.zeros(len(columns["minute"]), dtype=np.int64)
        kept = np.flatnonzero(code >= 0)
        order = kept[np.argsort(code[kept].astype(np.uint8), kind="stable")]
        keys, first, calls = _runs(code[order] * self.days * DAY_MINUTES + columns["minute"][order])

        def total(name: str) -> Floats:
            return np.add.reduceat(columns[name][order], first)

        def percentile(level: float) -> Floats:
            return np.asarray(columns["latency"][order][first + np.round(level * (calls - 1)).astype(int)])

        value, minute = np.divmod(keys, self.days * DAY_MINUTES)
        frame = pd.DataFrame({"ts": pd.Timestamp(self.start) + pd.to_timedelta(minute, unit="min")})
        if by:
            frame[by[0]] = np.array(NAMES[by[0]], dtype=object)[value]
        frame["calls"] = calls
        frame["tps"] = calls / 60.0
        frame["error_rate"] = total("error") / calls
        frame["rate_limited_rate"] = total("limited") / calls
        frame["latency_p50"], frame["latency_p95"] = percentile(0.5), percentile(0.95)
        frame["tokens_per_s"] = total("tokens") / 60.0
        frame["cost_per_h"] = total("cost") * 60.0
        known = np.add.reduceat((columns["model"][order] >= 0).astype(float), first)
        frame["cache_hit_rate"] = np.where(known > 0, total("cache_hit") / np.maximum(known, 1.0), np.nan)
        return frame


def _sorted(columns: Columns) -> Columns:
    """The calls in order of minute and latency: once, since sorting takes most of the time."""
    order = np.lexsort((columns["latency"], columns["minute"]))
    return {name: values[order] for name, values in columns.items()}


def _runs(keys: Ints) -> tuple[Ints, Ints, Ints]:
    """Each key of an array in which equal ones stand together, its first place and how often it is there."""
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], first, np.diff(first, append=len(keys))


def _noise(rng: np.random.Generator, size: int, phi: float, spread: float) -> Floats:
    """Autoregressive noise with the given stationary spread."""
    steps = rng.normal(0.0, spread * np.sqrt(1.0 - phi**2), size)
    out = np.empty(size)
    last = rng.normal(0.0, spread)
    for index in range(size):
        last = phi * last + steps[index]
        out[index] = last
    return out


def _service_rates(rng: np.random.Generator, minutes: Ints, days: int, rate: float) -> Floats:
    """Calls a second of each service and minute, shape (4, minutes)."""
    hour = (minutes % DAY_MINUTES) / 60.0
    weekend = (minutes // DAY_MINUTES) % 7 >= 5
    rows = []
    daily = np.repeat(_noise(rng, days + 1, 0.5, 0.04), DAY_MINUTES)
    daily = np.convolve(daily, np.ones(360) / 360, mode="same")[: len(minutes)]
    common = _noise(rng, len(minutes), 0.97, 0.05)
    for share, shift, quiet in zip(_SERVICE_SHARE, (0.0, 2.0, 1.0, 0.5), (0.7, 0.9, 0.45, 0.35), strict=True):
        shape = 0.3 + np.exp(-(((hour - 10.5 - shift) / 2.8) ** 2)) + 0.8 * np.exp(-(((hour - 15.5 - shift) / 3.0) ** 2))
        own = _noise(rng, len(minutes), 0.98, 0.04)
        row = shape * np.where(weekend, quiet, 1.0) * np.exp(daily + common + own) * (1.0 + 0.004 * minutes / DAY_MINUTES)
        rows.append(share * row / row[: 7 * DAY_MINUTES].mean())
    return np.stack(rows) * rate


def _tenants(rng: np.random.Generator, minute: Ints) -> Ints:
    """Draw each call's tenant; those with office hours have 3 % of their share outside them."""
    hour, weekend = (minute % DAY_MINUTES) / 60.0, (minute // DAY_MINUTES) % 7 >= 5
    office = (hour >= 8) & (hour < 18) & ~weekend
    picked = np.empty(len(minute), dtype=np.int64)
    for inside in (True, False):
        share = np.where(_OFFICE_ONLY & (not inside), 0.03, 1.0) * _TENANT_SHARE
        where = office == inside
        picked[where] = rng.choice(30, int(where.sum()), p=share / share.sum())
    return picked


def _apply(columns: Columns, incidents: Sequence[Incident], rng: np.random.Generator) -> None:
    for incident in incidents:
        hit = incident.covers(columns["minute"])
        if incident.kind == "provider_failure":
            hit &= (columns["provider"] == incident.target) & (rng.random(len(hit)) < incident.magnitude)
            columns["error"][hit], columns["limited"][hit], columns["tokens"][hit] = 1.0, 0.0, 0.0
        elif incident.kind == "latency_creep":
            hit &= columns["provider"] == incident.target
            ramp = 1.0 + (incident.magnitude - 1.0) * np.clip((columns["minute"] - incident.start + 1) / 10.0, 0.0, 1.0)
            columns["latency"][hit] *= ramp[hit]
        elif incident.kind == "token_runaway":
            columns["tokens"][hit & (columns["model"] == incident.target)] *= incident.magnitude
