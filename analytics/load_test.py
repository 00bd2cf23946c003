"""What a tagged load test showed: its steps, where it broke, and what crept up while the load stood still."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analytics.ceiling import fit_ceiling
from analytics.drift import Drift, drift_of
from analytics.usl import Floats
from core.capacity import Ceiling

_LEAST_STEP = 3
"""Spans that a step has at least."""
_JUMP, _LATENCY_JUMP = 0.1, 0.33
"""Steps differ by at least this share of throughput, or of latency, and by three times the noise within them."""
_BROKEN_ERRORS = 0.05
_BROKEN_LATENCY = 5.0
"""A step is broken with so many errors more than the first, so many times its latency, or with less throughput."""
_TRIMMED = _LEAST_STEP + 2
"""A step of so many spans is judged for errors without its first and last, in which the load may have changed."""
_SOAK = 20
"""A step of so many spans is long enough to look for drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stretch of like throughput: positions [first, end) of its spans, medians of what was measured in them."""

    first: int
    end: int
    tps: float
    concurrency: float
    latency_ms: float
    error_rate: float
    broken: str
    latency_drift: Drift
    error_drift: Drift


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """An analysed load test.

    Attributes
    ----------
    breaking_point : Step or None
        The first step that broke; None: none did.
    held_tps : float
        The highest throughput of the steps before it; NaN without any.
    """

    steps: tuple[Step, ...]
    breaking_point: Step | None
    held_tps: float
    ceiling: Ceiling


def analyse(tps: Floats, concurrency: Floats, latency_ms: Floats, error_rate: Floats) -> LoadTest:
    """Analyse equally long spans, oldest first; arrays of one length, NaN where unknown.

    Steps are found in throughput and, where more load brings no more of it, in latency; a step of 20 spans or more is also
    looked at for drift.
    """
    steps = list[Step]()
    for first, end in zip(*_bounds(tps, latency_ms), strict=True):
        inside = slice(first, end)
        errors = _mean(error_rate[first + 1 : end - 1] if end - first >= _TRIMMED else error_rate[inside])
        long = end - first >= _SOAK
        nothing = np.array([])
        step = Step(
            first=first,
            end=end,
            tps=_median(tps[inside]),
            concurrency=_median(concurrency[inside]),
            latency_ms=_median(latency_ms[inside]),
            error_rate=errors,
            broken=_why_broken(steps, _median(tps[inside]), _median(latency_ms[inside]), errors),
            latency_drift=drift_of(latency_ms[inside] if long else nothing),
            error_drift=drift_of(error_rate[inside] if long else nothing),
        )
        steps.append(step)
    broken = next((step for step in steps if step.broken), None)
    held = [step.tps for step in steps[: steps.index(broken) if broken else None]]
    return LoadTest(
        steps=tuple(steps),
        breaking_point=broken,
        held_tps=max(held, default=float("nan")),
        ceiling=fit_ceiling(concurrency, tps),
    )


def _bounds(tps: Floats, latency_ms: Floats) -> tuple[list[int], list[int]]:
    """First and end positions of steps: cut at the largest change of level, again and again (Scott and Knott, 1974)."""
    load, latency = np.nan_to_num(tps), np.nan_to_num(latency_ms)
    cuts = sorted({0, len(load), *_cuts(load, 0, len(load), _JUMP)})
    for first, end in pairwise(cuts):
        cuts = sorted({*cuts, *_cuts(latency, first, end, _LATENCY_JUMP)})
    return cuts[:-1], cuts[1:]


def _cuts(level: Floats, first: int, end: int, jump: float) -> list[int]:
    if end - first < 2 * _LEAST_STEP:
        return []
    inside = level[first:end]
    places = np.arange(_LEAST_STEP, len(inside) - _LEAST_STEP + 1)
    total, before = inside.sum(), np.cumsum(inside)[places - 1]
    left, right = before / places, (total - before) / (len(inside) - places)
    gain = (left - right) ** 2 * places * (len(inside) - places) / len(inside)
    at = int(places[gain.argmax()])
    low, high = float(np.median(inside[:at])), float(np.median(inside[at:]))
    noise = 1.4826 * float(np.median(np.abs(np.diff(inside)))) / np.sqrt(2.0)
    if abs(high - low) < max(jump * max(abs(low), abs(high)), 3.0 * noise / np.sqrt(min(at, len(inside) - at))):
        return []
    return [*_cuts(level, first, first + at, jump), first + at, *_cuts(level, first + at, end, jump)]


def _why_broken(before: list[Step], tps: float, latency_ms: float, error_rate: float) -> str:
    """Why a step is broken compared with the first; empty where it is not, and for the first itself."""
    if not before:
        return ""
    first, last = before[0], before[-1]
    if error_rate > _known(first.error_rate) + _BROKEN_ERRORS:
        return f"{error_rate:.0%} errors"
    if latency_ms > _BROKEN_LATENCY * first.latency_ms:
        return f"latency {latency_ms / first.latency_ms:.1f} times that of the first step"
    if tps < last.tps and latency_ms > 1.5 * last.latency_ms:
        return "throughput falls while latency rises"
    return ""


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _known(value: float) -> float:
    return 0.0 if np.isnan(value) else value
