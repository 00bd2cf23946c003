"""`tpscope backtest …`: how the service's models would have done on the history that is stored."""

from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of, time_option

backtest_app = typer.Typer(no_args_is_help=True, help="Judge the models on your own stored history.")


@backtest_app.command("detect")
def backtest_detect(
    start: Annotated[
        str | None, typer.Option("--from", help="Start time (RFC 3339); default: the first stored minute.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", "--to", help="End time (RFC 3339); default: the last stored minute.")
    ] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Judge past weeks from what was known then; alarms a week by rule and by series. Nothing is kept."""
    from tpscope.detection_backtest import run_detection_backtest

    first, last = time_option("--from", start), time_option("--until", end)
    return run_detection_backtest(settings_of(config, store), first, last, as_json=as_json)


@backtest_app.command("forecast")
def backtest_forecast(
    metric: Annotated[str | None, typer.Option(help="Only this metric, for example tps.")] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Forecast past weeks from what was known then; error, quantile loss and coverage per series and horizon are kept."""
    from tpscope.backtesting import run_forecast_backtest

    return run_forecast_backtest(settings_of(config, store), metric, as_json=as_json)
