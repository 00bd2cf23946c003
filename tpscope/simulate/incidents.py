"""What scripted incidents do to simulated calls, and the truth about them that detection is measured against."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tpscope.simulate.scenario import IncidentSpec, Scenario

Columns = dict[str, npt.NDArray[Any]]
Mask = npt.NDArray[np.bool_]

_OUTAGE_STATUSES = np.array([503, 503, 503, 502, 504], dtype=np.float64)
_TIMEOUT_FACTOR = 1.6


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
        seconds = columns["ts"]
        hit = matching(columns, incident.spec.match)
        hit &= (seconds >= incident.start.timestamp()) & (seconds < incident.end.timestamp())
        if not hit.any():
            continue
        progress = (seconds[hit] - incident.start.timestamp()) / incident.spec.duration.total_seconds()
        if incident.spec.kind == "outage":
            _fail(columns, hit, incident.spec.magnitude, rng)
        elif incident.spec.kind == "latency_creep":
            _slow_down(columns, hit, 1.0 + (incident.spec.magnitude - 1.0) * np.minimum(progress * 1.4, 1.0))
        elif incident.spec.kind == "token_runaway":
            _inflate(columns, hit, incident.spec.magnitude)
        elif incident.spec.kind == "silence":
            columns = {name: values[~hit] for name, values in columns.items()}
    return columns


def _fail(columns: Columns, hit: Mask, share: float, rng: np.random.Generator) -> None:
    failing = hit & (rng.random(len(hit)) < share)
    count = int(failing.sum())
    columns["status"][failing] = rng.choice(_OUTAGE_STATUSES, count)
    columns["error_type"][failing] = "upstream"
    columns["latency_ms"][failing] *= _TIMEOUT_FACTOR
    columns["upstream_ms"][failing] *= _TIMEOUT_FACTOR
    for name in ("ttft_ms", "prompt_tokens", "completion_tokens", "cost_usd"):
        columns[name][failing] = np.nan


def _slow_down(columns: Columns, hit: Mask, factor: npt.NDArray[np.float64]) -> None:
    for name in ("latency_ms", "upstream_ms", "ttft_ms", "first_byte_ms"):
        columns[name][hit] *= factor


def _inflate(columns: Columns, hit: Mask, factor: float) -> None:
    for name in ("prompt_tokens", "cost_usd"):
        columns[name][hit] *= factor
