"""`tpscope alerts` and `tpscope silences`: look at the rules, rehearse them, try a receiver, mute."""

from typing import Annotated

import typer

from tpscope.options import ConfigOption, JsonOption, StoreOption, duration_option, settings_of, time_option

alert_app = typer.Typer(no_args_is_help=True, help="Check and rehearse rules, try receivers.")
silence_app = typer.Typer(no_args_is_help=True, help="Mute what is known, for a while.")


@alert_app.command("check")
def check(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Check rules, routes, templates, windows and addresses; each mistake is one line with its place."""
    from tpscope.alerting import run_check

    return run_check(settings_of(config, None), config, as_json=as_json)


@alert_app.command("test")
def try_receiver(
    receiver: Annotated[str, typer.Argument(help="Name of a receiver of the configuration.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Send a message that says it is a test; exit 1 when it did not arrive."""
    from tpscope.alerting import run_test

    return run_test(settings_of(config, None), receiver, as_json=as_json)


@alert_app.command("rehearse")
def rehearse(
    span: Annotated[str, typer.Option("--for", help="How much of the newest history is judged.")] = "2d",
    learn: Annotated[str, typer.Option(help="How much before it detection learns from.")] = "7d",
    faults: Annotated[int, typer.Option(min=0, help="How many faults are put into the copy.")] = 12,
    seed: Annotated[int, typer.Option(help="Where and when they fall.")] = 7,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Try the rules on a copy of your own history with faults in it: precision, recall, delay and pages a week of each."""
    from tpscope.rehearsing import run_rehearse

    learned, judged = duration_option("--learn", learn), duration_option("--for", span)
    return run_rehearse(settings_of(config, store), learned, judged, faults, seed, as_json=as_json)


@silence_app.command("add")
def add(
    match: Annotated[list[str], typer.Argument(help="What is muted: LABEL=VALUE or LABEL=~REGEX, all of them must hold.")],
    last: Annotated[str, typer.Option("--for", help="How long.")] = "2h",
    start: Annotated[str | None, typer.Option("--from", help="When it begins (RFC 3339); default: now.")] = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Mute incidents; they go on being scored and shown."""
    from tpscope.alerting import run_silence_add

    begin, span = time_option("--from", start), duration_option("--for", last)
    return run_silence_add(settings_of(config, store), match, begin, span, comment, as_json=as_json)


@silence_app.command("list")
def list_(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Silences that have not ended, and windows of maintenance that are open."""
    from tpscope.alerting import run_silence_list

    return run_silence_list(settings_of(config, store), as_json=as_json)


@silence_app.command("end")
def end(
    silence: Annotated[str, typer.Argument(help="The silence's id, as `silences list` shows it.")],
    config: ConfigOption = None,
    store: StoreOption = None,
) -> int:
    """End a silence now; what still fires is told."""
    from tpscope.alerting import run_silence_end

    return run_silence_end(settings_of(config, store), silence)
