"""`tpscope backtest …`: how the service's models would have done on the history that is stored."""

from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

backtest_app = typer.Typer(no_args_is_help=True, help="Judge the models on your own stored history.")


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
