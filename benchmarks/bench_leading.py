"""Leading indicators (`make bench-leading`): how often a sample that moved first is named, how early, and how often falsely.

Hours of a latency by the minute (autoregressive noise, then a step, a ramp or a saturating rise of 6 to 14 deviations) and one
sample beside it: a queue whose depth moves 0 to 7 minutes earlier, or what has nothing to do with it: noise, a wandering level,
a random walk, a slow trend, a saw-tooth of batches, a number of instances that is scaled once. They are asked about some
minutes after the trouble began, as the service asks (`analytics.related`, `analytics.leading`).
"""

import argparse

import numpy as np

from analytics.features import Floats
from analytics.leading import went_ahead
from analytics.related import related_series
from benchmarks.bench_incidents import result
from core.series import Selector

_MINUTES, _BEFORE = 60, 20
_ROUTE = Selector.of(route="/v1/orders")
_AFTER = (3, 6, 12, 25)
_LEADS = (0, 2, 4, 7)
_OTHERS = ("noise", "wandering", "random walk", "trend", "saw-tooth", "scaled once")


def main() -> None:
    parser = argparse.ArgumentParser(description="leading indicators: named, how early, and falsely")
    parser.add_argument("--cases", type=int, default=300, help="of each kind and time")
    options = parser.parse_args()
    print(f"{'sample':<28}" + "".join(f"{after:>4} min after" for after in _AFTER) + f"{'median lead':>14}")
    for lead in _LEADS:
        said = [_said(f"queue, {lead}", lead, after, options.cases) for after in _AFTER]
        leads = [minutes for found in said for minutes in found]
        _row(f"queue, {lead} min earlier", [len(found) / options.cases for found in said], leads)
        if lead:
            result(f"leading_named_{lead}_min_earlier", len(said[-2]) / options.cases, "1", 0.8)
            result(f"leading_minutes_of_{lead}", float(np.median(leads)) if leads else 0.0, "min", lead)
    false = []
    for other in _OTHERS:
        shares = [len(_said(other, 0, after, options.cases)) / options.cases for after in _AFTER]
        _row(other, shares, [])
        false += shares
    result("leading_false", float(np.mean(false)), "1", 0.05)


def _row(name: str, shares: list[float], leads: list[int]) -> None:
    median = f"{np.median(leads):>14.0f}" if leads else ""
    print(f"{name:<28}" + "".join(f"{share:>14.2f}" for share in shares) + median)


def _said(sample: str, lead: int, after: int, cases: int) -> list[int]:
    """Minutes that the sample is said to have been ahead by, of the cases in which it is."""
    said = []
    for case in range(cases):
        rng = np.random.default_rng([case, lead, after, len(sample)])
        latency, row = _case(rng, sample, lead, _MINUTES + _BEFORE - after)
        found = related_series({"latency_p50": latency[None]}, (_ROUTE,), "latency_p50", _ROUTE, {"sample": row})
        said += [one.lag_minutes for one in found if one.metric == "sample" and went_ahead(row, latency, one)]
    return said


def _case(rng: np.random.Generator, sample: str, lead: int, at: int) -> tuple[Floats, Floats]:
    size = _MINUTES + _BEFORE
    shape = int(rng.integers(3))
    latency = _wandering(rng, size, 0.5) + rng.uniform(6.0, 14.0) * _trouble(shape, size, at)
    if sample.startswith("queue"):
        row = (
            100.0 * np.exp(0.12 * _wandering(rng, size, 0.6)) * (1.0 + rng.uniform(1.0, 4.0) * _trouble(shape, size, at - lead))
        )
    else:
        row = _unrelated(rng, sample, size)
    row = row[-_MINUTES:]
    return latency[-_MINUTES:], row - np.median(row)


def _unrelated(rng: np.random.Generator, sample: str, size: int) -> Floats:
    minute = np.arange(size)
    match sample:
        case "noise":
            return rng.normal(100.0, 10.0, size)
        case "wandering":
            return 100.0 + 10.0 * _wandering(rng, size, 0.9)
        case "random walk":
            return 100.0 + np.cumsum(rng.normal(0.0, 2.0, size))
        case "trend":
            return np.asarray(100.0 + rng.choice([-0.5, 0.5]) * minute + 3.0 * _wandering(rng, size, 0.5))
        case "saw-tooth":
            period = int(rng.integers(10, 40))
            return np.asarray((minute + rng.integers(period)) % period + _wandering(rng, size, 0.5))
        case _:
            return np.where(minute >= rng.integers(size), 6.0, 4.0)


def _trouble(shape: int, size: int, at: int) -> Floats:
    since = np.maximum(np.arange(size) - at, -1.0)
    rises = (np.where(since >= 0.0, 1.0, 0.0), np.clip(since / 15.0, 0.0, 1.5), 1.0 - np.exp(-np.maximum(since, 0.0) / 4.0))
    return np.asarray(rises[shape])


def _wandering(rng: np.random.Generator, size: int, phi: float) -> Floats:
    """Autoregressive of the first order, with a spread of 1."""
    out = rng.normal(0.0, 1.0, size)
    for minute in range(1, size):
        out[minute] = phi * out[minute - 1] + np.sqrt(1.0 - phi**2) * out[minute]
    return out


if __name__ == "__main__":
    main()
