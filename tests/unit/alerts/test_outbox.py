"""What goes into the outbox, and what a crash left out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson

from alerts.outbox import make, missing, notification_id, order
from alerts.state import Cause, Notice
from core.config import Settings
from core.types import DeliveryState, IncidentState, Notification, NotifyReason
from tests.unit.alerts.builders import HOOK, incident, notification, settings, slow
from tests.unit.alerts.memory import MINUTE, START

NOW = START + MINUTE
OPENED, REPEATED, RESOLVED = NotifyReason.OPENED, NotifyReason.REPEATED, NotifyReason.RESOLVED


def notice(reason: NotifyReason = OPENED, **more: Any) -> Notice:
    state = IncidentState.RESOLVED if reason is RESOLVED else IncidentState.FIRING
    return Notice(incident=incident(state=state, **more), reason=reason, cause=Cause.STARTED)


def made(what: Notice, given: Settings, stored: list[Notification] | None = None) -> list[Notification]:
    return make(what, stored or [], NOW, given)


def receivers(found: list[Notification]) -> list[str]:
    return [one.receiver for one in found]


def test_an_opening_goes_to_the_rules_receivers_else_to_those_of_routing_else_to_all() -> None:
    names = ("chat", "pager", "mail")
    assert receivers(made(notice(), settings(slow(receivers=["pager"]), receivers=names))) == ["pager"]
    routed = settings(slow(), receivers=names, routing={"receivers": ["mail", "chat"]})
    assert receivers(made(notice(), routed)) == ["chat", "mail"]
    assert receivers(made(notice(), settings(slow(), receivers=names))) == list(names)


def test_an_end_goes_to_those_who_were_told_of_the_opening() -> None:
    given = settings(slow(receivers=["pager"]), receivers=("chat", "pager"))
    stored = [notification(receiver="chat", state=DeliveryState.SENT), notification(id="gone", receiver="former")]
    assert receivers(made(notice(RESOLVED), given, stored)) == ["chat"]
    assert receivers(made(notice(REPEATED), given, stored)) == ["chat"]


def test_receivers_may_ask_not_to_hear_of_ends() -> None:
    given = settings(slow()).model_copy(
        update={"receivers": tuple(one.model_copy(update={"send_resolved": False}) for one in settings(slow()).receivers)}
    )
    stored = [notification()]
    assert made(notice(RESOLVED), given, stored) == []
    assert receivers(made(notice(REPEATED), given, stored)) == ["chat"]


def test_a_row_is_pending_and_due_at_once_with_its_message_rendered() -> None:
    (row,) = made(notice(), settings(slow()))
    assert (row.state, row.attempts, row.created_at, row.next_attempt_at) == (DeliveryState.PENDING, 0, NOW, NOW)
    body = orjson.loads(row.payload)
    assert (body["id"], body["reason"], body["incident"]["id"]) == (row.id, "opened", "i1")
    assert HOOK not in row.payload


def test_the_key_is_the_same_for_the_same_message_and_no_other() -> None:
    keys = [
        notification_id(incident_id, receiver, reason, ordinal)
        for incident_id in ("i1", "i2")
        for receiver in ("chat", "pager")
        for reason in NotifyReason
        for ordinal in (0, 1)
    ]
    assert len(set(keys)) == len(keys)
    given = settings(slow())
    assert [one.id for one in make(notice(), [], NOW, given)] == [one.id for one in make(notice(), [], NOW + MINUTE, given)]
    later = notice(REPEATED, last_notified_at=NOW + timedelta(hours=4))
    first = make(notice(REPEATED), [notification()], NOW, given)
    assert first[0].id != make(later, [notification()], NOW, given)[0].id


def test_what_is_there_is_not_made_again() -> None:
    given = settings(slow())
    rows = made(notice(), given)
    assert made(notice(), given, [replace(rows[0], state=DeliveryState.SENT)]) == []


def test_an_end_follows_its_opening_although_the_clock_was_set_back() -> None:
    opening, end = notification(created_at=NOW), notification(id="n2", reason=RESOLVED, created_at=START)
    reminder = notification(id="n3", reason=REPEATED, created_at=NOW + MINUTE)
    assert sorted([end, reminder, opening], key=order) == [opening, reminder, end]


def lost(what: Notice, stored: list[Notification]) -> list[NotifyReason]:
    return [found.reason for found in missing(what.incident, stored)]


def test_what_a_crash_left_out_of_the_outbox_is_found() -> None:
    opening = notification(created_at=NOW)
    told: dict[str, Any] = {"last_notified_at": NOW}
    assert lost(notice(**told), []) == [OPENED]
    assert lost(notice(**told), [opening]) == []
    assert lost(notice(last_notified_at=None), []) == []
    assert lost(notice(RESOLVED, **told), []) == [OPENED, RESOLVED]
    assert lost(notice(RESOLVED, **told), [opening]) == [RESOLVED]
    assert lost(notice(RESOLVED, **told), [opening, notification(id="n2", reason=RESOLVED)]) == []
    later: dict[str, Any] = {"last_notified_at": NOW + timedelta(hours=4)}
    assert lost(notice(**later), [opening]) == [REPEATED]
    reminder = notification(id="n2", reason=REPEATED, created_at=NOW + timedelta(hours=4))
    assert lost(notice(**later), [opening, reminder]) == []
