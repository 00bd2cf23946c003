"""`tpscope gate`: may this candidate be released?"""

from pathlib import Path
from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of

_SIDE = "a frozen baseline, a load test (`runs`), FROM..TO, a duration that ends now, or a file of call logs"


def gate(
    candidate: Annotated[str, typer.Option("--candidate", help=f"What is judged: {_SIDE}.")],
    against: Annotated[str, typer.Option("--against", help=f"`same-hours` of the weeks before, or {_SIDE}.")],
    selector: Annotated[str, typer.Option("--selector", help='Which calls, for example gateway="canary".')] = "",
    against_selector: Annotated[
        str | None, typer.Option("--against-selector", help="Which calls of the baseline, if not those of --selector.")
    ] = None,
    transaction: Annotated[
        str, typer.Option("--transaction", help="A transaction of the configuration, by its own rule of success.")
    ] = "",
    objective: Annotated[
        list[str] | None, typer.Option("--objective", help="Objective that the candidate must keep; may be repeated.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="Format of files: `auto`, `tpscope` or a name.")] = "auto",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report (XML) here.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write a summary for a pull request here.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the picture (PNG) here.")] = None,
    picture_url: Annotated[str, typer.Option("--picture-url", help="Address of the picture in the summary.")] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Compare a candidate with a baseline, mixes made equal; exit 1 for a regression, 2 when the calls cannot tell."""
    from tpscope.gating import GateRequest, run_gate

    request = GateRequest(
        candidate=candidate,
        against=against,
        selector=selector,
        against_selector=against_selector,
        transaction=transaction,
        objectives=tuple(objective or ()),
        format=format_,
        junit=junit,
        markdown=markdown,
        picture=picture,
        picture_url=picture_url,
        as_json=as_json,
    )
    return run_gate(settings_of(config, store), request)
