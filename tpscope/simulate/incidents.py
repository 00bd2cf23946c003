"""What scripted incidents do to simulated calls, and the truth about them that detection is measured against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tpscope.simulate.scenario import IncidentSpec, PastSpec, Scenario

Columns = dict[str, npt.NDArray[Any]]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_OUTAGE_STATUSES = np.array([503, 503, 503, 502, 504], dtype=np.float64)
_TIMEOUT_FACTOR = 1.6
_REFUSAL_MS = 8.0
"""A refused call is answered at once."""
_ANSWERED = (
    "latency_ms", "upstream_ms", "first_byte_ms", "ttft_ms", "provider", "account", "requested_model", "model",
    "prompt_tokens", "completion_tokens", "cost_usd", "stream", "prompt_hash",
)  # fmt: skip
"""What a call that is not cached has of its upstream."""


@dataclass(frozen=True, slots=True)
class ScheduledIncident:
    """An incident with its place in time (aware UTC, half open)."""

    spec: IncidentSpec
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + self.spec.duration

    def truth(self) -> dict[str, Any]:
        """For the file beside the logs: what happened, where and when."""
        return {
            "name": self.spec.name,
            "kind": self.spec.kind,
            "match": dict(self.spec.match),
            "into": self.spec.into,
            "magnitude": self.spec.magnitude,
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "description": self.spec.description,
        }


def schedule(scenario: Scenario, first: datetime, until: datetime) -> list[ScheduledIncident]:
    """The scenario's incidents one after the other from `first`, again from the top after the last, up to `until`."""
    planned: list[ScheduledIncident] = []
    start = first
    while scenario.incidents:
        for spec in scenario.incidents:
            start = start + (spec.after if planned else timedelta(0))
            if start >= until:
                return planned
            planned.append(ScheduledIncident(spec, start))
            start = planned[-1].end
        start = start + timedelta(minutes=8)
    return planned


_FOR_GOOD = timedelta(days=365)


def lasting(past: PastSpec, now: datetime) -> ScheduledIncident:
    """What was changed before `now`, as what it does to calls from then on."""
    spec = IncidentSpec(
        name=past.what, kind="slow", match=past.match, magnitude=past.slower, duration=_FOR_GOOD, description=past.what
    )
    return ScheduledIncident(spec, now - past.ago)


def matching(columns: Mapping[str, npt.NDArray[Any]], match: Mapping[str, str]) -> Mask:
    """Which calls have all the column values of `match`."""
    size = len(columns["ts"])
    mask = np.ones(size, dtype=bool)
    for name, value in match.items():
        mask &= columns[name] == value
    return mask


def apply(columns: Columns, incidents: Iterable[ScheduledIncident], rng: np.random.Generator) -> Columns:
    """The calls as they look with the incidents that touch their time; a surge is made where calls are drawn, not here."""
    for incident in incidents:
        seconds, spec = columns["ts"], incident.spec
        hit = matching(columns, spec.match)
        hit &= (seconds >= incident.start.timestamp()) & (seconds < incident.end.timestamp())
        if not hit.any() or spec.kind == "surge":
            continue
        if spec.kind in ("silence", "dip"):
            share = 1.0 if spec.kind == "silence" else spec.magnitude
            gone = hit & (rng.random(len(hit)) < share)
            columns = {name: values[~gone] for name, values in columns.items()}
        else:
            progress = (seconds[hit] - incident.start.timestamp()) / spec.duration.total_seconds()
            _EFFECTS[spec.kind](columns, hit, spec, progress, rng)
    return columns


def _fail(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    failing = hit & (rng.random(len(hit)) < spec.magnitude)
    columns["status"][failing] = rng.choice(_OUTAGE_STATUSES, int(failing.sum()))
    columns["error_type"][failing] = "upstream"
    columns["latency_ms"][failing] *= _TIMEOUT_FACTOR
    columns["upstream_ms"][failing] *= _TIMEOUT_FACTOR
    _without_answer(columns, failing)


def _refuse(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    refused = hit & (rng.random(len(hit)) < spec.magnitude)
    columns["status"][refused] = 429.0
    columns["error_type"][refused] = "rate_limit"
    for name in ("latency_ms", "upstream_ms"):
        columns[name][refused] = np.minimum(columns[name][refused], _REFUSAL_MS)
    _without_answer(columns, refused)


def _creep(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    _slow_down(columns, hit, 1.0 + (spec.magnitude - 1.0) * np.minimum(progress * 1.4, 1.0))


def _slow(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    _slow_down(columns, hit, np.full(len(progress), spec.magnitude))


def _new_model(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    columns["model"][hit] = spec.into
    _slow(columns, hit, spec, progress, rng)


def _inflate(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    _multiply_tokens(columns, hit, np.full(len(progress), spec.magnitude))


def _grow(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    _multiply_tokens(columns, hit, 1.0 + (spec.magnitude - 1.0) * np.minimum(progress * 1.4, 1.0))


def _miss(columns: Columns, hit: Mask, spec: IncidentSpec, progress: Floats, rng: np.random.Generator) -> None:
    """Cached answers become answers of the upstream: each takes what another call of its route got that was not cached."""
    missing = hit & (columns["cache_hit"] == 1.0) & (rng.random(len(hit)) < spec.magnitude)
    for route in np.unique(columns["route"][missing].astype(str)):
        ours = np.flatnonzero(missing & (columns["route"] == route))
        fresh = np.flatnonzero((columns["route"] == route) & (columns["cache_hit"] == 0.0))
        if len(fresh):
            models = fresh[rng.integers(0, len(fresh), len(ours))]
            for name in _ANSWERED:
                columns[name][ours] = columns[name][models]
    columns["cache_hit"][missing] = 0.0


_EFFECTS: Mapping[str, Callable[[Columns, Mask, IncidentSpec, Floats, np.random.Generator], None]] = {
    "outage": _fail,
    "rate_limit": _refuse,
    "latency_creep": _creep,
    "slow": _slow,
    "new_model": _new_model,
    "token_runaway": _inflate,
    "token_growth": _grow,
    "cache_collapse": _miss,
}


def _slow_down(columns: Columns, hit: Mask, factor: Floats) -> None:
    for name in ("latency_ms", "upstream_ms", "ttft_ms", "first_byte_ms"):
        columns[name][hit] *= factor


def _multiply_tokens(columns: Columns, hit: Mask, factor: Floats) -> None:
    for name in ("prompt_tokens", "cost_usd"):
        columns[name][hit] *= factor


def _without_answer(columns: Columns, failed: Mask) -> None:
    for name in ("ttft_ms", "prompt_tokens", "completion_tokens", "cost_usd"):
        columns[name][failed] = np.nan
