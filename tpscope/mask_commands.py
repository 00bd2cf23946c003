"""`tpscope masks`: spans that are no example of normal traffic."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from core.errors import ConfigError
from core.masks import MaskKind
from tpscope.options import ConfigOption, JsonOption, StoreOption, settings_of, time_option

mask_app = typer.Typer(no_args_is_help=True, help="Say of a span that it is no example: maintenance, expected, an incident.")


@mask_app.command("add")
def add(
    kind: Annotated[MaskKind, typer.Option("--kind", help="`maintenance` and `expected` mute, `incident` does not.")],
    why: Annotated[str, typer.Option("--why", help="For whoever asks later.")],
    start: Annotated[str | None, typer.Option("--from", help="Start time (RFC 3339); default: now, or the anomaly's.")] = None,
    end: Annotated[str | None, typer.Option("--until", help="End time (RFC 3339); default: until it is ended.")] = None,
    selector: Annotated[str, typer.Option("--selector", help='Which calls, for example service="chat"; default: all.')] = "",
    anomaly: Annotated[str, typer.Option("--anomaly", help="Id of an anomaly: its time and its selection are taken.")] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Leave a span out of training, and send no message about what happens in it."""
    from tpscope.masks import run_add

    if anomaly and selector:
        raise ConfigError("--anomaly", "names a selection itself; give it or --selector")
    first, last = time_option("--from", start), time_option("--until", end)
    return run_add(settings_of(config, store), kind, why, first, last, selector, anomaly, as_json=as_json)


@mask_app.command("list")
def list_(
    past: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Masks that hold now or later."""
    from tpscope.masks import run_list

    return run_list(settings_of(config, store), past=past, as_json=as_json)


@mask_app.command("end")
def end(
    mask_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` writes it.")],
    at: Annotated[str | None, typer.Option("--at", help="When it ends (RFC 3339); default: now.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="It never was: what it muted is news again.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """End a mask; what happens from then on is judged and told as ever."""
    from tpscope.masks import run_end

    if withdraw and at:
        raise ConfigError("--withdraw", "needs no --at")
    moment = time_option("--at", at) or datetime.now(UTC)
    return run_end(settings_of(config, store), mask_id, None if withdraw else moment, as_json=as_json)
