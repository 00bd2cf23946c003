"""`tpscope changes`: what was changed, and what became better or worse after it."""

from typing import Annotated

import typer

from core.changes import ChangeKind
from tpscope.options import ConfigOption, JsonOption, StoreOption, duration_option, settings_of, time_option

change_app = typer.Typer(no_args_is_help=True, help="Mark a deployment or another change; see before and after it.")


@change_app.command("add")
def add(
    what: Annotated[str, typer.Argument(help="What was changed, for example `checkout 4.2.0`.")],
    kind: Annotated[ChangeKind, typer.Option("--kind", help="What sort of change it is.")] = ChangeKind.DEPLOY,
    at: Annotated[str | None, typer.Option("--at", help="When (RFC 3339); default: now.")] = None,
    selector: Annotated[str, typer.Option("--selector", help='Calls it may touch, for example service="chat".')] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Note a change; the running service judges before and after it by itself."""
    from tpscope.changing import run_add

    return run_add(settings_of(config, store), what, kind, time_option("--at", at), selector, as_json=as_json)


@change_app.command("list")
def list_(
    last: Annotated[str, typer.Option("--last", help="How far back, for example 30d.")] = "30d",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Changes that were noted or found, newest first, with what became of them."""
    from tpscope.changing import run_list

    return run_list(settings_of(config, store), duration_option("--last", last), as_json=as_json)


@change_app.command("show")
def show(
    change_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` writes it.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """One change with its verdicts; exit 1 when something got worse after it."""
    from tpscope.changing import run_show

    return run_show(settings_of(config, store), change_id, as_json=as_json)
