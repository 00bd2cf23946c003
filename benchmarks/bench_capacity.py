"""How honest the time to a limit is: `python -m benchmarks.bench_capacity [--paths N] [--seed N]`.

Traffic that is simulated for twelve weeks: hours of the week, growth that wanders or is steady, noise that lasts for hours. Of
the first eight a forecast is made; for limits from just below to half above the busiest hour of the last week it is stated how
probable a crossing within 7, 14 and 28 days is, and the last four weeks show which were crossed. In each fifth of the stated
probabilities the share of crossings should be the mean of what was stated, within ten points. The reference is what comes out
when hours are drawn independently of one another. How paths are drawn was chosen on other seeds than the default one.
"""

import argparse

import numpy as np

from analytics.forecasting import forecast
from analytics.headroom import crossing, paths_of
from analytics.paths import WEEK_H, Persistence, persistence_of, scores
from analytics.usl import Floats
from core.types import QUANTILE_COLUMNS

_HISTORY, _AHEAD = 8 * WEEK_H, 4 * WEEK_H
_DAYS = (7, 14, 28)
_LIMITS = np.linspace(0.95, 1.5, 6)
"""Of the busiest hour of the last week: from the first to the last, one within each step."""
_SEED = 77001
_BINS = 5
_LEAST = 15
"""Statements that a bin needs before its share says anything."""


def main() -> None:
    parser = argparse.ArgumentParser(description="reliability of the time to a limit")
    parser.add_argument("--paths", type=int, default=200, help="simulated series")
    parser.add_argument("--seed", type=int, default=_SEED)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    stated, independent, crossed = list[Floats](), list[Floats](), list[Floats]()
    for seed in range(options.paths):
        series = growth_path(rng, steady=seed % 2 == 1)
        history, future = series[:_HISTORY], series[_HISTORY:]
        quantiles = forecast(history, _AHEAD).points[list(QUANTILE_COLUMNS)].to_numpy()
        limits = history[-WEEK_H:].max() * rng.uniform(_LIMITS[:-1], _LIMITS[1:])
        for found, persistence in (
            (stated, persistence_of(replayed(history))),
            (independent, Persistence(level=0.0, rest=1.0, hourly=0.0)),
        ):
            paths = paths_of(quantiles, persistence, seed)
            shares = [crossing(paths, np.array([limit])).by_hour for limit in limits]
            found.append(np.array([[share[24 * days - 1] for days in _DAYS] for share in shares]))
        crossed.append(np.array([[(future[: 24 * days] >= limit).any() for days in _DAYS] for limit in limits]))
    print_all(np.array(stated), np.array(independent), np.array(crossed))


def print_all(stated: Floats, independent: Floats, crossed: Floats) -> None:
    """Reliability of all, of each kind of growth and of each horizon; arrays of shape (n_series, n_limits, n_days)."""
    ours, reference = reliability(stated, crossed), reliability(independent, crossed)
    for (low, mean, share, count), other in zip(ours, reference, strict=True):
        print(f"stated {low:.0%} to {low + 1 / _BINS:.0%}: {count} times, {mean:.3f} on average; crossed {share:.3f}", end="")
        print(f" (hours drawn independently: {other[3]} times, {other[1]:.3f}; {other[2]:.3f})")
    by_growth = {"wandering growth": np.s_[::2, :, :], "steady growth": np.s_[1::2, :, :]}
    by_horizon = {f"{days} days": np.s_[:, :, at : at + 1] for at, days in enumerate(_DAYS)}
    for name, part in (*by_growth.items(), *by_horizon.items()):
        fifths = ", ".join(f"{mean:.2f}/{share:.2f}" for _, mean, share, _ in reliability(stated[part], crossed[part]))
        print(f"{name}: stated/crossed {fifths}")
    print(f"RESULT name=time_to_limit_worst_bin value={worst(ours):.4g} unit=points reference={worst(reference):.4g}")
    brier = [float(((found - crossed) ** 2).mean()) for found in (stated, independent)]
    print(f"RESULT name=time_to_limit_brier value={brier[0]:.4g} unit=1 reference={brier[1]:.4g}")


def replayed(history: Floats) -> list[Floats]:
    """Scores of forecasts that would have been made one to six weeks ago, as the service finds them in its store."""
    found = []
    for weeks in range(1, 7):
        came = history[-weeks * WEEK_H :][:_AHEAD]
        past = forecast(history[: -weeks * WEEK_H], len(came)).points[list(QUANTILE_COLUMNS)].to_numpy()
        found.append(scores(past, came))
    return found


def growth_path(rng: np.random.Generator, *, steady: bool = False) -> Floats:
    """Twelve weeks by the hour: shape of the week, a log level with drift and steps each day, noise with a memory of hours.

    Steady growth has no steps, and up to 1.5 % a day.
    """
    hours = np.arange(_HISTORY + _AHEAD)
    day = np.exp(rng.uniform(0.3, 0.9) * np.cos(2 * np.pi * (hours % 24 - rng.uniform(10, 18)) / 24))
    week = np.where(hours % WEEK_H // 24 < 5, 1.0, rng.uniform(0.5, 1.0))
    days = len(hours) // 24
    steps = rng.normal(rng.uniform(-0.002, 0.01), rng.uniform(0.002, 0.015), days)
    if steady:
        steps = np.full(days, rng.uniform(0.0, 0.015))
    level = np.exp(np.repeat(np.cumsum(steps), 24))
    noise, state, memory = np.empty(len(hours)), 0.0, rng.uniform(0.3, 0.9)
    size = rng.uniform(0.02, 0.08) * np.sqrt(1 - memory**2)
    for hour in hours:
        state = memory * state + size * rng.standard_normal()
        noise[hour] = state
    return np.asarray(np.exp(rng.uniform(1.0, 6.0)) * day * week * level * np.exp(noise))


def reliability(stated: Floats, crossed: Floats) -> list[tuple[float, float, float, int]]:
    """For each bin: its lower end, the mean probability stated in it, the share that was crossed, and how many statements."""
    place = np.minimum((stated * _BINS).astype(int), _BINS - 1)
    found = []
    for one in range(_BINS):
        inside = place == one
        mean = float(stated[inside].mean()) if inside.any() else float("nan")
        share = float(crossed[inside].mean()) if inside.any() else float("nan")
        found.append((one / _BINS, mean, share, int(inside.sum())))
    return found


def worst(bins: list[tuple[float, float, float, int]]) -> float:
    """The largest difference between what was stated and what came, in points, over bins with enough statements."""
    return max(100.0 * abs(mean - share) for _, mean, share, count in bins if count >= _LEAST)


if __name__ == "__main__":
    main()
