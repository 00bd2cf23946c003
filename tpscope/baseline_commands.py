"""`tpscope baseline`: windows under a name, and what changed between two of them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from core.errors import ConfigError
from tpscope.options import ConfigOption, JsonOption, StoreOption, duration_option, settings_of, time_option

baseline_app = typer.Typer(no_args_is_help=True, help="Freeze windows under a name, and compare before with after.")

SelectorOption = Annotated[str, typer.Option("--selector", help='Which calls, for example provider="openai".')]
TransactionOption = Annotated[str, typer.Option("--transaction", help="A transaction of the configuration, by its own rule.")]


@baseline_app.command("freeze")
def freeze(
    name: Annotated[str, typer.Argument(help="What to call it, for example before-release-42.")],
    window: Annotated[str, typer.Option("--window", help="FROM..TO (RFC 3339), or a duration that ends now, for example 2h.")],
    selector: SelectorOption = "",
    transaction: TransactionOption = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace the one that has this name.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Keep a window of calls for good: comparisons with it work when the calls are long gone."""
    from tpscope.baselines import run_freeze

    span = window_option("--window", window, datetime.now(UTC))
    return run_freeze(settings_of(config, store), name, span, selector, transaction, again=replace, as_json=as_json)


@baseline_app.command("list")
def list_(config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """The frozen baselines, with their windows and what they count."""
    from tpscope.baselines import run_list

    return run_list(settings_of(config, store), as_json=as_json)


@baseline_app.command("compare")
def compare(
    before: Annotated[str, typer.Argument(help="A frozen baseline, or a window (FROM..TO, or a duration that ends now).")],
    after: Annotated[str, typer.Argument(help="The same, for what came after.")],
    selector: SelectorOption = "",
    transaction: TransactionOption = "",
    seed: Annotated[int, typer.Option(help="Of the bootstrap: the same seed gives the same intervals.")] = 7,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """What changed, how large it is and how sure; exit 1 when something changed for the worse."""
    from tpscope.baselines import run_compare

    return run_compare(settings_of(config, store), before, after, selector, transaction, seed, as_json=as_json)


def window_option(name: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    """`FROM..TO`, or a duration that ends now. Raises ConfigError that quotes what cannot be read."""
    first, dots, last = text.partition("..")
    if not dots:
        return now - duration_option(name, text), now
    start, end = time_option(name, first.strip()), time_option(name, last.strip()) if last.strip() else now
    if start is None or end is None or end <= start:
        example = "2026-03-01T10:00:00Z..2026-03-01T12:00:00Z"
        raise ConfigError(name, f"{text!r} must have its start before its end; write for example {example}")
    return start, end
