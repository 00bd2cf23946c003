"""`tpscope backtest forecast`: rolling-origin forecasts of the stored history, printed and kept beside the forecasts."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from analytics.forecast_job import run_backtest
from analytics.jobs import run_hours
from core.clock import SystemClock
from core.config import ForecastSettings, Settings
from core.errors import ConfigError
from core.series import METRICS
from core.types import ForecastBacktest
from storage.contract import Store
from tpscope.reading import reading

_EPOCH = 0
"""Below every jobs process: what a command writes never displaces what the service wrote."""


def run_forecast_backtest(settings: Settings, metric: str | None, *, as_json: bool) -> int:
    """Back-test and print every series and horizon. Raises ConfigError where no history is long enough."""
    chosen = settings.forecast
    if metric is not None:
        if metric not in METRICS:
            raise ConfigError("--metric", f"{metric!r} is no metric; choose from {', '.join(METRICS)}")
        chosen = chosen.model_copy(update={"metrics": (metric,)})
    with reading(settings) as store:
        run_hours(store, SystemClock(), settings, _EPOCH)  # an import is not followed by a service that would have made them
        found = _tested(store, chosen)
    if not found:
        raise ConfigError("backtest forecast", "no series has hours of two weeks and a day yet; import history, or wait")
    if as_json:
        from tpscope.options import print_json

        print_json([_json(one) for one in found])
    else:
        _print(found)
    return 0


def _tested(store: Store, settings: ForecastSettings) -> list[ForecastBacktest]:
    now = SystemClock().now()
    if not sys.stderr.isatty():
        return run_backtest(store, settings, now, _EPOCH)
    columns = (TextColumn("forecasting the past"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        return run_backtest(store, settings, now, _EPOCH, lambda done, total: bar.update(task, completed=done, total=total))


def _print(found: list[ForecastBacktest]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("metric", "selection", "ahead", "times", "MASE", "4-week mean", "WQL", "WQL 95 %", "in 90 %"):
        table.add_column(name, justify="left" if name in ("metric", "selection") else "right")
    for one in found:
        numbers = (one.mase, one.mean4_mase, one.wql, one.wql95)
        table.add_row(
            one.metric,
            one.selector.words,
            f"{one.horizon_h // 24} d",
            str(one.origins),
            *(f"{number:.3f}" if number == number else "-" for number in numbers),
            f"{one.coverage90:.0%}",
        )
    console = Console(soft_wrap=True)
    console.print(table)
    console.print("MASE: error relative to repeating the last week, below 1 is better; the mean of four weeks beside it.")


def _json(one: ForecastBacktest) -> dict[str, Any]:
    numbers = {name: getattr(one, name) for name in ("mase", "mean4_mase", "wql", "wql95", "coverage90")}
    return {
        "metric": one.metric,
        "selector": one.selector.labels,
        "horizon_h": one.horizon_h,
        "origins": one.origins,
        "history_from": one.history_from.isoformat(),
        "history_to": one.history_to.isoformat(),
        **{name: number if number == number else None for name, number in numbers.items()},
    }
