"""`tpscope forecast`: any series of `timestamp,value`, forecast by the engine that the service uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from rich.console import Console

from analytics.days_off import occasions_between, says_nothing
from analytics.forecasting import NothingKnown, Occasion, Season, forecast
from analytics.forecasting.grid import Grid, regular
from analytics.forecasting.occasions import occasion
from analytics.forecasting.season import DAY_S
from core.calendars import Calendar, load_calendars
from core.config import CalendarSettings, ForecastEvent, Settings
from core.errors import ConfigError
from tpscope.series_files import (
    Recorded,
    SeriesFile,
    find_series,
    read_series_file,
    refuse_overwriting,
    write_result,
    written_times,
)
from tpscope.spreading import spread

_MOST_POINTS = 200_000
"""Longest forecast of one series: 138 days of minutes."""
_FILES_A_PROCESS = 8
"""Fewer files than this are done before another process has started."""
_NO_DAYS_OFF = Calendar(time_zone="UTC")
_HOLIDAYS_UNKNOWN = (
    "over Christmas and New Year forecasts are lower and wider, since days off are not known; "
    "name them with --country DE or by calendars in --config"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beforehand:
    """What is known beforehand of every series: events, and a calendar of days off."""

    events: Sequence[ForecastEvent] = ()
    calendar: Calendar = _NO_DAYS_OFF

    def occasions(self, grid: Grid, count: int) -> list[Occasion]:
        """Those of the grid's past and of the `count` points after it; a day off says nothing of steps longer than a day."""
        first = grid.start.to_pydatetime()
        if grid.step_s > DAY_S:
            return [occasion(one.name, one.start, one.end, one.uplift, first, grid.step_s) for one in self.events]
        end = grid.after(count)[-1].to_pydatetime() + timedelta(seconds=grid.step_s)
        return occasions_between(self.events, self.calendar, first, end, grid.step_s)


NOTHING = Beforehand()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file: `points` written, or the `problem` that it cannot be forecast for.

    `over_holidays`: days ahead may be holidays, and nobody said whether.
    """

    file: str
    points: int = 0
    step_s: int = 0
    model: str = ""
    error_mase: float = float("nan")
    note: str = ""
    problem: str = ""
    over_holidays: bool = False


def known_beforehand(settings: Settings, country: str) -> Beforehand:
    """The configuration's events and its common calendar, with the public holidays of a country (`DE`, `DE-BY`) or none.

    Raises ConfigError for a country that is not known.
    """
    if country:
        code, _, part = country.partition("-")
        calendar = CalendarSettings(country=code.upper(), subdivision=part.upper())
        settings = settings.model_copy(update={"calendars": (*settings.calendars, calendar)})
    return Beforehand(events=settings.forecast.events, calendar=load_calendars(settings).common)


def run_forecast(
    target: Path,
    horizon: timedelta,
    out: Path,
    *,
    jobs: int,
    as_json: bool,
    known: Beforehand = NOTHING,
    scheduler: str | None = None,
) -> int:
    """Forecast the file, or every one of the folder; exit code 2 when one could not be, which the others do not suffer from.

    With a `scheduler` the workers of that Dask cluster do it (`spreading.spread`), which must see the same folders.
    """
    if horizon <= timedelta(0):
        raise ConfigError("--horizon", "must be longer than nothing; write for example 28d")
    files = find_series(target)
    refuse_overwriting(files, out)
    with spread(jobs, scheduler) as tasks:
        processes = tasks if scheduler else max(min(tasks, len(files) // _FILES_A_PROCESS), 1)
        outcomes = list(Parallel(n_jobs=processes)(delayed(forecast_file)(file, horizon, out, known) for file in files))
    failed = [one for one in outcomes if one.problem]
    console = Console(stderr=True, soft_wrap=True)
    for one in outcomes:
        if one.problem or one.note:
            line = f"tpscope: {one.problem}" if one.problem else f"{one.file}: {one.note}"
            console.print(line, highlight=False, markup=False)
    if any(one.over_holidays for one in outcomes):
        console.print(_HOLIDAYS_UNKNOWN, highlight=False, markup=False)
    if as_json:
        from tpscope.options import print_json

        print_json([_json(one) for one in outcomes])
    else:
        console.print(f"{len(outcomes) - len(failed):,} series forecast to {out}", highlight=False, markup=False)
    return 2 if failed else 0


def forecast_file(file: SeriesFile, horizon: timedelta, out: Path, known: Beforehand = NOTHING) -> Outcome:
    """Read, forecast and write one file; what is wrong with it is in the outcome."""
    try:
        table, outcome = forecast_series(read_series_file(file.path), horizon, str(file.path), known)
        write_result(out, file, table)
    except ConfigError as error:
        return Outcome(file=str(file.path), problem=str(error))
    return outcome


def forecast_series(
    recorded: Recorded, horizon: timedelta, name: str, known: Beforehand = NOTHING
) -> tuple[pd.DataFrame, Outcome]:
    """The table `timestamp,mean,q05,…,q95,model` of the points after the last one, and what is to be said of it.

    Raises ConfigError, naming the series, where no value is known.
    """
    grid = regular(recorded.at, recorded.values)
    if grid is None:
        raise ConfigError(name, "holds no row; nothing can be forecast")
    wanted = max(-(-int(horizon.total_seconds()) // grid.step_s), 1)
    count = min(wanted, _MOST_POINTS)
    occasions = known.occasions(grid, count)
    try:
        made = forecast(
            grid.values,
            count,
            season=Season.of_step(grid.step_s),
            start=grid.index_of_start,
            occasions=occasions,
        )
    except NothingKnown as error:
        raise ConfigError(name, str(error)) from None
    stamps = written_times(grid.after(count), zoned=recorded.zoned)
    table = made.points.assign(timestamp=stamps, model=made.model)
    notes = [made.note] if made.note else []
    if count < wanted:
        notes.append(f"{count:,} points of {grid.step_s} s are forecast, {wanted:,} were asked for; give it longer steps")
    unsure = says_nothing(known.calendar) and any(one.general and one.end > len(grid.values) for one in occasions)
    outcome = Outcome(
        file=name,
        points=count,
        step_s=grid.step_s,
        model=made.model,
        error_mase=made.error_mase,
        note="; ".join(notes),
        over_holidays=unsure,
    )
    return table[["timestamp", *made.points.columns, "model"]], outcome


def _json(one: Outcome) -> dict[str, Any]:
    known = one.error_mase == one.error_mase
    return {
        "file": one.file,
        "points": one.points,
        "step_s": one.step_s,
        "model": one.model,
        "error_mase": one.error_mase if known else None,
        "note": one.note,
        "problem": one.problem,
    }
