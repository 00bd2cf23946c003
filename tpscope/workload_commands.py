"""`tpscope workload`: traffic as a load script, without any payload."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tpscope.baseline_commands import window_option
from tpscope.options import ConfigOption, StoreOption, settings_of

workload_app = typer.Typer(no_args_is_help=True, help="Repeat observed traffic as a load test.")


class Tool(StrEnum):
    K6 = "k6"
    LOCUST = "locust"


@workload_app.command("export")
def export(
    to: Annotated[Tool, typer.Option("--to", help="Which tool will run the script.")],
    out: Annotated[Path, typer.Option("--out", help="Where the script is written.")],
    window: Annotated[str, typer.Option("--window", help="FROM..TO (RFC 3339), or a duration that ends now.")] = "1d",
    selector: Annotated[str, typer.Option("--selector", help='Which calls, for example service="chat".')] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
) -> int:
    """Write a script that repeats mix, arrivals, sizes and pauses of a window; whole hours of it are taken."""
    from tpscope.workloads import run_export

    span = window_option("--window", window, datetime.now(UTC))
    return run_export(settings_of(config, store), to.value, out, span, selector)
