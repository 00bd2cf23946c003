"""What `tpscope changes` does: notes changes, lists them, and shows what became of one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from core.changes import Change, ChangeKind, ChangeVerdict
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector
from storage.changes import new_change_id, read_changes, read_verdicts, write_changes
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor

_AHEAD = timedelta(minutes=5)


def run_add(settings: Settings, what: str, kind: ChangeKind, at: datetime | None, selector: str, *, as_json: bool) -> int:
    """Note a change; one that lies ahead is refused: it may not come."""
    now = datetime.now(UTC)
    if not what.strip():
        raise ConfigError("changes add", "needs a word on what was changed")
    if at is not None and at > now + _AHEAD:
        raise ConfigError("--at", f"{at.isoformat()} lies ahead; note a change when it is made")
    try:
        wanted = Selector.parse(selector)
    except ValueError as error:
        raise ConfigError("--selector", str(error)) from error
    change = Change(
        id=new_change_id(), at=at or now, kind=kind, what=what.strip(), selector=wanted, who=actor(), found=False, made_at=now
    )
    with reading(settings) as store:
        write_changes(store, [change])
    if as_json:
        print_json(change_json(change, []))
    else:
        _say(
            f"{change.id}: {change.words}, {change.at:%Y-%m-%d %H:%M} UTC; `tpscope changes show {change.id}` says what it did"
        )
    return 0


def run_list(settings: Settings, last: timedelta, *, as_json: bool) -> int:
    """Print the changes of a span, newest first."""
    with reading(settings) as store:
        changes = read_changes(store, datetime.now(UTC) - last)
        verdicts = read_verdicts(store, [one.id for one in changes])
    by_change = {one.id: [verdict for verdict in verdicts if verdict.change_id == one.id] for one in changes}
    if as_json:
        print_json({"changes": [change_json(one, by_change[one.id]) for one in changes]})
        return 0
    for one in changes:
        _say(f"{one.id}  {one.at:%Y-%m-%d %H:%M} UTC  {one.words}  {_by(one)}: {_summary(by_change[one.id])}")
    if not changes:
        _say("no change was noted or found; note one with `tpscope changes add WHAT`")
    return 0


def run_show(settings: Settings, change_id: str, *, as_json: bool) -> int:
    """Print one change and its verdicts; exit code 1 where one of them is a regression."""
    with reading(settings) as store:
        changes = read_changes(store, change_id=change_id)
        if not changes:
            raise ConfigError("changes show", f"there is no change {change_id!r}; see `tpscope changes list`")
        verdicts = read_verdicts(store, [change_id])
    if as_json:
        print_json(change_json(changes[0], verdicts))
    else:
        _say(f"{changes[0].words}, {changes[0].at:%Y-%m-%d %H:%M} UTC, {_by(changes[0])}")
        for one in verdicts:
            _say(verdict_words(one))
        if not verdicts:
            _say("not judged yet: the service looks 15 minutes, 1, 6 and 24 hours after a change, until the calls tell")
    return 1 if any(one.outcome == "regression" for one in verdicts) else 0


def verdict_words(one: ChangeVerdict) -> str:
    """A verdict in a line."""
    of = f"transaction {one.transaction}" if one.transaction else one.selector.words
    span = f"{one.before_from:%Y-%m-%d %H:%M} to {one.after_to:%Y-%m-%d %H:%M} UTC"
    reasons = f": {'; '.join(one.reasons)}" if one.reasons else ""
    return f"{of}, {span}: {_OUTCOMES[one.outcome]}{reasons}"


def change_json(change: Change, verdicts: list[ChangeVerdict]) -> dict[str, Any]:
    return {
        "id": change.id,
        "at": change.at.isoformat(),
        "kind": str(change.kind),
        "what": change.what,
        "selector": change.selector.labels,
        "who": change.who or None,
        "found": change.found,
        "verdicts": [
            {
                "transaction": one.transaction or None,
                "selector": one.selector.labels,
                "judged_at": one.judged_at.isoformat(),
                "from": one.before_from.isoformat(),
                "to": one.after_to.isoformat(),
                "outcome": one.outcome,
                "reasons": list(one.reasons),
                "report": json.loads(one.report),
            }
            for one in verdicts
        ],
    }


_OUTCOMES = {"passed": "nothing that matters got worse", "regression": "it got worse", "cannot_judge": "cannot be told"}


def _summary(verdicts: list[ChangeVerdict]) -> str:
    if not verdicts:
        return "not judged yet"
    worst = max(verdicts, key=lambda one: ("passed", "cannot_judge", "regression").index(one.outcome))
    return _OUTCOMES[worst.outcome]


def _by(change: Change) -> str:
    return "found in the calls" if change.found else f"noted by {change.who}"


def _say(line: str) -> None:
    Console(soft_wrap=True).print(line, highlight=False, markup=False)
