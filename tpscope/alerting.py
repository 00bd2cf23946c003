"""What the commands `alerts` and `silences` do."""

import getpass
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from alerts.checking import advice, problems
from alerts.jobs import send_test
from alerts.silences import maintenance
from core.alert_settings import checked_match
from core.config import Settings
from core.errors import ConfigError
from core.types import Silence
from storage.silences import read_silences, write_silence
from tpscope.options import print_json
from tpscope.reading import reading


def run_check(settings: Settings, config: Path | None, *, as_json: bool) -> int:
    """Exit code 2 when something would not work."""
    found, more = list(problems(settings, datetime.now(UTC))), list(advice(settings))
    source = str(config) if config else "defaults"
    if as_json:
        print_json({"problems": [str(error) for error in found], "advice": more})
    for error in found if not as_json else ():
        _print(f"{source}: {error}")
    for line in more if not as_json else ():
        _print(f"note: {line}")
    if not found and not as_json:
        rules = ", ".join(f"{rule.name} ({rule.kind})" for rule in settings.rules) or "none"
        _print(f"{source}: valid; rules: {rules}; {len(settings.receivers)} receivers, {len(settings.silences)} windows")
    return 2 if found else 0


def run_test(settings: Settings, receiver: str, *, as_json: bool) -> int:
    """Exit code 1 when the message did not arrive."""
    result = send_test(settings, receiver)
    if as_json:
        told = {"receiver": result.receiver, "delivered": result.delivered, "status": result.status, "problem": result.problem}
        print_json({**told, "duration_s": round(result.duration_s, 3)})
    elif result.delivered:
        _print(f"{result.receiver}: delivered in {result.duration_s:.2f} s (status {result.status})")
    else:
        _print(f"{result.receiver}: not delivered: {result.problem}")
    return 0 if result.delivered else 1


def run_silence_add(
    settings: Settings, match: list[str], begin: datetime | None, span: timedelta, comment: str, *, as_json: bool
) -> int:
    now = datetime.now(UTC)
    starts = begin or now
    silence = Silence(
        id=secrets.token_hex(4),
        match=_match(match),
        starts_at=starts,
        ends_at=starts + span,
        created_at=now,
        created_by=_who(),
        comment=comment,
    )
    if silence.ends_at <= now or span <= timedelta(0):
        raise ConfigError("silences add", "ends before now; give a longer --for or a later --from")
    with reading(settings) as store:
        write_silence(store, silence)
    if as_json:
        print_json(_shown(silence, now))
    else:
        _print(f"silence {silence.id}: {_words(silence)}, until {silence.ends_at:%Y-%m-%d %H:%M} UTC")
    return 0


def run_silence_list(settings: Settings, *, as_json: bool) -> int:
    now = datetime.now(UTC)
    with reading(settings) as store:
        found = [*maintenance(settings, now), *read_silences(store, now)]
    if as_json:
        print_json([_shown(silence, now) for silence in found])
    elif not found:
        _print("nothing is silenced")
    for silence in found if not as_json else ():
        state = "active" if silence.starts_at <= now else "waits"
        span = f"{silence.starts_at:%Y-%m-%d %H:%M} to {silence.ends_at:%Y-%m-%d %H:%M} UTC"
        _print(f"{silence.id}  {state}  {span}  {_words(silence)}  by {silence.created_by}  {silence.comment}".rstrip())
    return 0


def run_silence_end(settings: Settings, silence_id: str) -> int:
    now = datetime.now(UTC)
    with reading(settings) as store:
        known = {silence.id: silence for silence in read_silences(store, now)}
        if silence_id not in known:
            raise ConfigError("silences end", f"there is no silence {silence_id!r} to end; see: tpscope silences list")
        before = known[silence_id]
        ended = Silence(
            id=before.id,
            match=before.match,
            starts_at=min(before.starts_at, now),
            ends_at=now,
            created_at=before.created_at,
            created_by=before.created_by,
            comment=before.comment,
        )
        write_silence(store, ended)
    _print(f"silence {silence_id} ended")
    return 0


def _match(pairs: list[str]) -> dict[str, str]:
    match: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise ConfigError("silences add", f"{pair!r} is no LABEL=VALUE")
        match[name] = value
    try:
        return checked_match(match)
    except ValueError as error:
        raise ConfigError("silences add", str(error)) from error


def _words(silence: Silence) -> str:
    return ", ".join(f"{name}={value}" for name, value in silence.match.items()) or "everything"


def _shown(silence: Silence, now: datetime) -> dict[str, Any]:
    return {
        "id": silence.id,
        "match": dict(silence.match),
        "from": silence.starts_at.isoformat(),
        "until": silence.ends_at.isoformat(),
        "active": silence.starts_at <= now < silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
    }


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"


def _print(line: str) -> None:
    Console(soft_wrap=True).print(line, highlight=False, markup=False)
