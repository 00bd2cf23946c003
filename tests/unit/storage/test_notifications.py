from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.types import DeliveryState, Notification, NotifyReason
from storage.contract import Store
from storage.notifications import due_notifications, notifications_of, read_notifications, write_notifications

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _notification(id: str = "n1", **changes: object) -> Notification:
    notification = Notification(
        id=id,
        incident_id="i1",
        receiver="ops",
        reason=NotifyReason.OPENED,
        state=DeliveryState.PENDING,
        created_at=AT,
        updated_at=AT,
        attempts=0,
        next_attempt_at=AT,
        error="",
        payload='{"text": "it\'s \\"bad\\" \\n ☃"}',
    )
    return replace(notification, **changes)  # type: ignore[arg-type]


def test_what_was_written_comes_back(store: Store) -> None:
    written = _notification(next_attempt_at=None, error="HTTP 503", attempts=2)
    write_notifications(store, [written], 1)
    assert read_notifications(store) == [written]


def test_due_is_what_is_pending_now_and_not_what_was(store: Store) -> None:
    write_notifications(
        store, [_notification("sent"), _notification("later"), _notification("due"), _notification("given up")], 1
    )
    write_notifications(
        store,
        [
            _notification("sent", state=DeliveryState.SENT),
            _notification("later", next_attempt_at=AT + 10 * SECOND, attempts=1),
            _notification("given up", state=DeliveryState.FAILED),
        ],
        1,
    )
    assert [one.id for one in due_notifications(store, AT)] == ["due"]
    assert [(one.id, one.attempts) for one in due_notifications(store, AT + 10 * SECOND)] == [("due", 0), ("later", 1)]


def test_due_comes_oldest_first_within_the_limit(store: Store) -> None:
    write_notifications(store, [_notification(f"n{n}", created_at=AT - n * SECOND) for n in range(5)], 1)
    assert [one.id for one in due_notifications(store, AT, limit=3)] == ["n4", "n3", "n2"]


def test_receivers_that_are_left_out_do_not_count_for_the_limit(store: Store) -> None:
    write_notifications(store, [_notification(f"n{n}", created_at=AT - n * SECOND) for n in range(5)], 1)
    write_notifications(store, [_notification("other", receiver="it's another")], 1)
    assert [one.id for one in due_notifications(store, AT, limit=2, without={"ops"})] == ["other"]
    assert due_notifications(store, AT, without={"ops", "it's another"}) == []


def test_all_messages_of_some_incidents_in_their_latest_state(store: Store) -> None:
    write_notifications(store, [_notification("n1"), _notification("n2", incident_id="i'2", created_at=AT - SECOND)], 1)
    write_notifications(store, [_notification("n1", attempts=1), _notification("n3", incident_id="i3")], 1)
    assert [(one.id, one.attempts) for one in notifications_of(store, {"i1", "i'2"})] == [("n2", 0), ("n1", 1)]
    assert notifications_of(store, ["none"]) == notifications_of(store, []) == []


def test_without_a_next_attempt_it_is_due_at_once(store: Store) -> None:
    write_notifications(store, [_notification(next_attempt_at=None)], 1)
    assert [one.id for one in due_notifications(store, AT)] == ["n1"]


def test_an_ousted_process_cannot_make_a_sent_message_due_again(store: Store) -> None:
    write_notifications(store, [_notification(state=DeliveryState.SENT)], 5)
    write_notifications(store, [_notification()], 4)
    assert due_notifications(store, AT) == []
    assert [one.state for one in read_notifications(store)] == [DeliveryState.SENT]


def test_messages_of_one_incident_newest_first(store: Store) -> None:
    write_notifications(
        store,
        [
            _notification("first"),
            _notification("second", created_at=AT + SECOND, reason=NotifyReason.RESOLVED),
            _notification("other", incident_id="i2"),
        ],
        1,
    )
    assert [one.id for one in read_notifications(store, "i1")] == ["second", "first"]
    assert [one.id for one in read_notifications(store, limit=1)] == ["second"]
