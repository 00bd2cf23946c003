"""`tpscope review`: what a week or a month was like beside the one before; the archive of those that were made."""

from pathlib import Path
from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of, time_option

review_app = typer.Typer(help="Review a week or a month; list, show and export the archived reviews.")

ToOption = Annotated[
    Path | None, typer.Option("--to", help="Write all of it into this file: .html, .json, or .xlsx for its tables.")
]


@review_app.callback(invoke_without_command=True)
def review(
    context: typer.Context,
    month: Annotated[bool, typer.Option("--month/--week", help="A month, or a week.")] = False,
    until: Annotated[str | None, typer.Option("--until", help="Its last day's end (RFC 3339); default: the latest.")] = None,
    to: ToOption = None,
    keep: Annotated[bool, typer.Option("--archive", help="Keep it in the archive, as the next version.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """A week or a month beside the one before: in few words, and as a page that stands alone and prints."""
    if context.invoked_subcommand is not None:
        return 0
    from tpscope.reviewing import run_review

    kind = "month" if month else "week"
    return run_review(settings_of(config, store), kind, time_option("--until", until), to, keep=keep, as_json=as_json)


@review_app.command("list")
def list_(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Archived reviews, the latest period first."""
    from tpscope.reviewing import run_list

    return run_list(settings_of(config, store), as_json=as_json)


@review_app.command("show")
def show(
    review_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` writes it.")],
    version: Annotated[int, typer.Option("--version", min=0, help="Which version; 0: the newest.")] = 0,
    to: ToOption = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """An archived review as it was made."""
    from tpscope.reviewing import run_show

    return run_show(settings_of(config, store), review_id, version, to, as_json=as_json)
