"""`tpscope dead-letters`: records that could not be read, listed, shown, and replayed after a fix."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import ConfigError
from tpscope.options import ConfigOption, JsonOption, StoreOption, duration_option, settings_of, time_option

if TYPE_CHECKING:
    from storage.dead_letters import LetterFilter

dead_letter_app = typer.Typer(no_args_is_help=True, help="Records that could not be read: list, show and replay them.")

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only letters with this reason, for example bad_ts.")]
TopicOption = Annotated[str | None, typer.Option("--topic", help="Only letters of this topic.")]
FromOption = Annotated[str | None, typer.Option("--from", help="Received since (RFC 3339).")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Received before (RFC 3339).")]
LastOption = Annotated[str | None, typer.Option("--last", help="Received in this last time, for example 2h.")]


@dead_letter_app.command("list")
def list_(
    reason: ReasonOption = None,
    topic: TopicOption = None,
    start: FromOption = None,
    end: UntilOption = None,
    last: LastOption = None,
    replayed: Annotated[bool | None, typer.Option("--replayed/--open", help="Only replayed ones, or only open ones.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Letters on a page.")] = 50,
    page: Annotated[int, typer.Option(min=1, help="Which page.")] = 1,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Letters, newest first, and how many are open by reason."""
    from tpscope.dead_letters import run_list

    wanted = _filter(reason, topic, start, end, last, replayed)
    return run_list(settings_of(config, store), wanted, limit, page, as_json=as_json)


@dead_letter_app.command("show")
def show(
    place: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` writes it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write only the kept bytes, as they are.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """One record: where it came from, why it could not be read, and its bytes."""
    from tpscope.dead_letters import run_show

    return run_show(settings_of(config, store), place, raw=raw, as_json=as_json)


@dead_letter_app.command("replay")
def replay(
    reason: ReasonOption = None,
    topic: TopicOption = None,
    start: FromOption = None,
    end: UntilOption = None,
    last: LastOption = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Format to read them in; default: kafka.format of the configuration.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write the letters that can be read now into the calls, each once; exit 1 when some still cannot be read."""
    from tpscope.dead_letters import run_replay

    wanted = _filter(reason, topic, start, end, last, replayed=None)
    return run_replay(settings_of(config, store), wanted, format_, dry_run=dry_run, as_json=as_json)


def _filter(
    reason: str | None, topic: str | None, start: str | None, end: str | None, last: str | None, replayed: bool | None
) -> "LetterFilter":
    from storage.dead_letters import LetterFilter

    if last is not None and start is not None:
        raise ConfigError("--last", "cannot be given together with --from")
    since = datetime.now(UTC) - duration_option("--last", last) if last is not None else time_option("--from", start)
    return LetterFilter(reason=reason, topic=topic, start=since, end=time_option("--until", end), replayed=replayed)
