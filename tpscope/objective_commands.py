"""`tpscope objectives`: where your targets stand, and which ones your history suggests."""

from pathlib import Path
from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

objective_app = typer.Typer(no_args_is_help=True, help="Objectives: where they stand, what is left of their error budgets.")


@objective_app.command("list")
def list_(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Each objective over its window; exit 1 where one is not kept."""
    from tpscope.objectives import run_list

    return run_list(settings_of(config, store), as_json=as_json)


@objective_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of an objective of the configuration.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """One objective with its error budget, burn rates and time to exhaustion; exit 1 where it is not kept."""
    from tpscope.objectives import run_show

    return run_show(settings_of(config, store), name, as_json=as_json)


@objective_app.command("suggest")
def suggest(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Targets for transactions and the busiest services that the last four weeks would have kept, as configuration."""
    from tpscope.objectives import run_suggest

    return run_suggest(settings_of(config, store), as_json=as_json)


@objective_app.command("read")
def read(
    file: Annotated[Path, typer.Argument(help="An OpenSLO v1 file; its metric sources are of type `tpscope`.")],
    as_json: JsonOption = False,
) -> int:
    """Print the objectives of an OpenSLO v1 file as configuration."""
    from tpscope.objectives import run_read

    return run_read(file, as_json=as_json)
