"""Before and after a change: when it is looked at, and what the gate says of the calls on both sides. A thin shell.

A change is looked at a few times, at growing distance, until the calls tell. Each look is taken once, at spans that are fixed
by the change's time, and gets its part of the error that is allowed: looking again makes no false alarm more likely.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from analytics.gating.judging import judge
from core.changes import Change, ChangeKind, ChangeVerdict
from core.config import Settings
from core.gate_settings import GateSettings
from core.gating import GateReport, Outcome
from core.series import Selector
from core.transactions import Transaction
from core.types import JobState
from storage.changes import changed_labels, changed_models, read_changes, read_verdicts, write_changes, write_verdicts
from storage.contract import Store
from storage.frozen import window_is_kept
from storage.jobs import read_job, write_job
from storage.mixes import read_mix

JOB = "changes"
LOOKS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""How long after a change it is looked at, with as much time before it."""
_LATE = timedelta(minutes=2)
"""Calls of the last minutes may still be on their way."""
_FIRST_SPAN = timedelta(hours=1)
_BACK = timedelta(days=1)
_SHORTLY = timedelta(minutes=5)

ToJson = Callable[[GateReport], str]


def run_changes(store: Store, settings: Settings, now: datetime, epoch: int, to_json: ToJson) -> list[ChangeVerdict]:
    """The job: note what the calls show since the last run, and judge the changes whose time has come."""
    began, state = now, read_job(store, JOB)
    since = state.cursor if state is not None else None
    end = now - _LATE
    find_changes(store, settings, max(since or end - _FIRST_SPAN, end - _BACK), end)
    verdicts = judge_changes(store, settings, since, end, to_json)
    write_verdicts(store, verdicts, epoch)
    done = JobState(name=JOB, cursor=end, last_success_at=began, last_error_at=None, last_error="", duration_s=0.0)
    write_job(store, done, epoch)
    return verdicts


def find_changes(store: Store, settings: Settings, start: datetime, end: datetime) -> list[Change]:
    """Note what the calls of [start, end) show and nobody has noted: new models, new values of the deploy labels."""
    if start >= end:
        return []
    found = changed_models(store, start - _BACK, start, end)
    found += changed_labels(store, settings.changes.labels, start - _BACK, start - _SHORTLY, start, end)
    known = {one.id for one in read_changes(store, start - _BACK, end)}
    fresh = [one for one in found if one.id not in known]
    write_changes(store, fresh)
    return fresh


def judge_changes(
    store: Store, settings: Settings, since: datetime | None, until: datetime, to_json: ToJson
) -> list[ChangeVerdict]:
    """What the looks that became due in (since, until] tell; each transaction is told once."""
    changes = read_changes(store, (since or until) - LOOKS[-1], until)
    done = {(one.change_id, one.transaction) for one in read_verdicts(store, [change.id for change in changes])}
    counted: list[Transaction | None] = [None, *(one.definition for one in settings.transactions)]
    gate = settings.gate.model_copy(update={"confidence": 1.0 - (1.0 - settings.gate.confidence) / len(LOOKS)})
    verdicts = []
    for change in changes:
        look = max((one for one in LOOKS if _due(change, one, since, until)), default=None)
        for transaction in counted if look is not None else ():
            if look is not None and (change.id, transaction.name if transaction else "") not in done:
                verdict = _verdict(store, gate, change, transaction, look, until, to_json)
                verdicts += [verdict] if verdict is not None else []
    return verdicts


def _due(change: Change, look: timedelta, since: datetime | None, until: datetime) -> bool:
    return (since is None or since < change.at + look) and change.at + look <= until


def _verdict(
    store: Store,
    gate: GateSettings,
    change: Change,
    transaction: Transaction | None,
    look: timedelta,
    now: datetime,
    to_json: ToJson,
) -> ChangeVerdict | None:
    """None where the calls do not tell yet, or there are none on one of the sides."""
    start, end, selector = change.at - look, change.at + look, scope_of(change)
    if not window_is_kept(store, start, end):
        return None
    before, after = (
        read_mix(store, first, last, selector, transaction) for first, last in ((start, change.at), (change.at, end))
    )
    if before is None or after is None:
        return None
    report = judge(before, after, gate)
    if report.outcome is Outcome.CANNOT_JUDGE and look < LOOKS[-1]:
        return None
    return ChangeVerdict(
        change_id=change.id,
        transaction=transaction.name if transaction else "",
        selector=selector,
        judged_at=now,
        before_from=start,
        after_to=end,
        outcome=report.outcome.name.lower(),
        reasons=report.reasons,
        report=to_json(report),
    )


def scope_of(change: Change) -> Selector:
    """The calls that are compared: a new model has none before it, so that all calls of its provider are."""
    if change.kind is not ChangeKind.MODEL:
        return change.selector
    return Selector.of({name: value for name, value in change.selector.pairs if name != "model"})
