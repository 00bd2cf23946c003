"""`tpscope runs`: load tests, tagged and analysed."""

from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

run_app = typer.Typer(no_args_is_help=True, help="Load tests: tag them, and see what they showed.")

_Name = Annotated[str, typer.Argument(help="What you call the load test.")]


@run_app.command("start")
def start(
    name: _Name,
    note: Annotated[str, typer.Option(help="What is tested, for later readers.")] = "",
    selector: Annotated[str, typer.Option(help='Which calls belong to it, for example service="chat"; else all.')] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
) -> int:
    """Note that a load test begins now."""
    from tpscope.load_runs import start_run

    return start_run(settings_of(config, store), name, selector, note)


@run_app.command("stop")
def stop(name: _Name, config: ConfigOption = None, store: StoreOption = None) -> int:
    """Note that a load test ends now."""
    from tpscope.load_runs import stop_run

    return stop_run(settings_of(config, store), name)


@run_app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Analyse the newest load test of this name.")] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the load tests; with a name: its steps, breaking point, drift and ceiling."""
    from tpscope.load_runs import list_runs

    return list_runs(settings_of(config, store), name, as_json=as_json)
