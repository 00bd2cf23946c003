"""Lanes over an outbox in memory."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from alerts.breaker import Pace
from alerts.delivery import MAX_PAUSE, Courier, DeliveryReport
from alerts.post import Envelope, Receipt
from core.clock import FakeClock
from core.config import ReceiverSettings, Settings
from core.errors import StoreUnavailable
from core.types import DeliveryState, Notification, NotifyReason
from tests.support.wait import wait_until
from tests.unit.alerts.builders import notification, settings
from tests.unit.alerts.memory import START, MemoryPost, MemoryRepository, refused, unavailable

SECOND = timedelta(seconds=1)
GIVEN = settings(receivers=("chat", "pager"))
PENDING, SENT, FAILED = DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED


class Harness:
    """A courier over memory with a clock of its own."""

    def __init__(self) -> None:
        self.outbox, self.post, self.clock = MemoryRepository(), MemoryPost(), FakeClock(START)
        self.courier = Courier(self.post, self.clock, threading.Event())

    def put(self, *rows: Notification) -> None:
        self.outbox.write_notifications(rows)

    def round(self, after: timedelta = timedelta(0), given: Settings = GIVEN) -> DeliveryReport:
        self.clock.advance(after)
        return self.courier.start(self.outbox, given) + self.courier.wait()

    def state(self, id: str = "n1") -> Notification:
        return next(one for one in self.outbox.latest_notifications() if one.id == id)


@pytest.fixture
def harness() -> Iterator[Harness]:
    made = Harness()
    yield made
    made.courier.close()


def test_a_message_is_sent_once_under_its_key(harness: Harness) -> None:
    harness.put(notification(payload='{"a":1}'))
    assert harness.round() == DeliveryReport(sent=1)
    assert harness.post.taken == [("chat", "n1", '{"a":1}')]
    sent = harness.state()
    assert (sent.state, sent.attempts, sent.next_attempt_at, sent.error) == (SENT, 1, None, "")
    assert harness.round(SECOND) == DeliveryReport()
    assert len(harness.post.tried) == 1


def test_a_failure_is_repeated_later_and_later_under_the_same_key(harness: Harness) -> None:
    harness.post.script = [unavailable(), unavailable(), None]
    harness.put(notification())
    counted = {outcome: attempts(outcome) for outcome in ("retried", "sent", "failed")}
    assert harness.round() == DeliveryReport(retried=1, last_error="chat: HTTP 503")
    waiting = harness.state()
    assert (waiting.state, waiting.attempts, waiting.error) == (PENDING, 1, "HTTP 503")
    assert waiting.next_attempt_at is not None
    assert START + SECOND / 2 <= waiting.next_attempt_at <= START + SECOND
    assert harness.round(SECOND / 4) == DeliveryReport(), "not due yet"
    assert harness.round(SECOND).retried == 1
    assert harness.round(2 * SECOND).sent == 1
    assert harness.post.tried == [("chat", "n1")] * 3
    assert [attempts(outcome) - before for outcome, before in counted.items()] == [2, 1, 0]


def attempts(outcome: str) -> float:
    """Attempts to the receiver chat that this process has counted."""
    labels = {"receiver": "chat", "outcome": outcome}
    return REGISTRY.get_sample_value("tpscope_alerts_deliveries_total", labels) or 0.0


def test_a_message_is_given_up_after_the_configured_repeats(harness: Harness) -> None:
    harness.post.script = [unavailable()] * 20
    harness.put(notification())
    few = settings(receivers=("chat", "pager")).receivers[0].model_copy(update={"retries": 6})
    for _ in range(20):
        harness.round(MAX_PAUSE * 10, GIVEN.model_copy(update={"receivers": (few,)}))
    given_up = harness.state()
    assert (given_up.state, given_up.attempts) == (FAILED, 7), "the first attempt and six repeats"
    assert given_up.error == "given up after 7 attempts: HTTP 503"
    assert len(harness.post.tried) == 7


def test_a_refusal_is_final(harness: Harness) -> None:
    harness.post.script = [refused()]
    harness.put(notification())
    assert harness.round() == DeliveryReport(failed=1, last_error="chat: HTTP 404")
    assert (harness.state().state, harness.state().error) == (FAILED, "HTTP 404")


def test_a_receivers_wish_to_wait_holds_for_the_whole_lane(harness: Harness) -> None:
    harness.post.script = [unavailable(retry_after=20 * SECOND)]
    harness.put(notification(), notification(id="n2", incident_id="i2"))
    harness.round()
    assert harness.state().next_attempt_at == START + 20 * SECOND
    assert harness.round(19 * SECOND) == DeliveryReport()
    assert harness.round(SECOND).sent == 2


def test_others_pass_a_message_that_waits_long(harness: Harness) -> None:
    harness.post.script = [unavailable(retry_after=timedelta(minutes=4))]
    harness.put(notification(), notification(id="n2", incident_id="i2"))
    harness.round()
    harness.round(MAX_PAUSE)
    assert (harness.state("n1").state, harness.state("n2").state) == (PENDING, SENT)


def test_an_end_never_overtakes_its_opening(harness: Harness) -> None:
    harness.post.script = [unavailable(retry_after=timedelta(minutes=4))]
    harness.put(notification())
    harness.round()
    harness.put(notification(id="end", reason=NotifyReason.RESOLVED, created_at=START + SECOND, next_attempt_at=START))
    harness.round(MAX_PAUSE)
    assert harness.state("end").state is PENDING
    assert harness.state("end").attempts == 0
    assert harness.state("end").next_attempt_at == START + timedelta(minutes=4), "it waits for the opening's next attempt"
    harness.round(timedelta(minutes=4))
    assert [key for _, key, _ in harness.post.taken] == ["n1", "end"]


def test_an_end_written_before_its_opening_by_the_clock_comes_after_it(harness: Harness) -> None:
    harness.clock.advance(timedelta(hours=1))
    harness.put(
        notification(id="end", reason=NotifyReason.RESOLVED, created_at=START),
        notification(created_at=START + SECOND),
    )
    harness.round()
    harness.round(2 * SECOND)
    assert [key for _, key, _ in harness.post.taken] == ["n1", "end"]


def test_an_end_without_an_opening_that_arrived_is_not_sent(harness: Harness) -> None:
    harness.put(
        notification(state=FAILED, next_attempt_at=None, error="HTTP 404"),
        notification(id="end", reason=NotifyReason.RESOLVED, created_at=START + SECOND),
    )
    assert harness.round().failed == 1
    assert harness.state("end").error == "not sent: the opening never arrived"
    assert harness.post.tried == []


def test_an_end_is_sent_when_only_a_reminder_arrived(harness: Harness) -> None:
    harness.put(
        notification(state=FAILED, next_attempt_at=None),
        notification(id="again", reason=NotifyReason.REPEATED, state=SENT, next_attempt_at=None),
        notification(id="end", reason=NotifyReason.RESOLVED, created_at=START + SECOND),
    )
    assert harness.round().sent == 1


def test_a_receiver_that_is_gone_from_the_configuration_gets_nothing(harness: Harness) -> None:
    harness.put(notification(receiver="former"))
    assert harness.round().failed == 1
    assert harness.state().error == "receiver 'former' is no longer configured"


def test_a_busy_lane_delays_no_other_and_sends_nothing_twice(harness: Harness) -> None:
    release, inside = threading.Event(), threading.Event()

    def slow(receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
        if receiver.name == "chat":
            inside.set()
            assert release.wait(10)
        return harness.post(receiver, envelope)

    courier = Courier(slow, harness.clock, threading.Event())
    harness.put(notification(), notification(id="p1", receiver="pager"))
    courier.start(harness.outbox, GIVEN)
    assert inside.wait(10)
    wait_until(lambda: harness.state("p1").state is SENT, 10, "the other receiver's message")
    harness.put(notification(id="p2", receiver="pager", incident_id="i2"))
    wait_until(lambda: courier.start(harness.outbox, GIVEN) == DeliveryReport() and harness.state("p2").state is SENT, 10)
    release.set()
    courier.wait()
    courier.close()
    assert sorted(harness.post.tried) == [("chat", "n1"), ("pager", "p1"), ("pager", "p2")]


def test_one_lanes_backlog_does_not_crowd_out_another(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.delivery.BATCH", 3)
    harness.post.script = [unavailable(retry_after=20 * SECOND)]
    harness.put(*(notification(id=f"c{number}", incident_id=f"i{number}") for number in range(9)))
    harness.round()
    harness.put(notification(id="p1", receiver="pager", created_at=START + SECOND))
    harness.round(SECOND)
    assert harness.state("p1").state is SENT


class FailingOutbox(MemoryRepository):
    """Takes no write while `down`."""

    down = False

    def write_notifications(self, notifications: Sequence[Notification]) -> None:
        if self.down and notifications:
            raise StoreUnavailable("the store is down")
        super().write_notifications(notifications)


def test_an_outcome_that_the_store_did_not_take_is_written_later_and_not_sent_again(harness: Harness) -> None:
    outbox = FailingOutbox()
    outbox.write_notifications([notification()])
    outbox.down = True
    harness.courier.start(outbox, GIVEN)
    harness.courier.wait()
    with pytest.raises(StoreUnavailable):
        harness.courier.start(outbox, GIVEN)
    outbox.down = False
    harness.courier.start(outbox, GIVEN)
    harness.courier.wait()
    assert len(harness.post.tried) == 1
    assert [one.state for one in outbox.latest_notifications()] == [SENT]


def test_an_unexpected_error_counts_as_an_attempt(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    harness.post.script = [RuntimeError("a bug")]
    harness.put(notification(), notification(id="n2", incident_id="i2"))
    assert harness.round().retried == 1
    assert (harness.state().attempts, harness.state().error) == (1, "internal error (RuntimeError)")
    assert "a bug" in caplog.text
    assert harness.round(MAX_PAUSE).sent == 2


def test_an_outbox_that_fails_unexpectedly_ends_its_lane_for_a_while(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    harness.put(notification(id="end", reason=NotifyReason.RESOLVED), notification(id="p1", receiver="pager"))
    with monkeypatch.context() as patched:
        patched.setattr(harness.outbox, "notifications_of", lambda incident_ids: 1 / 0)
        assert harness.round().sent == 1
    assert "division by zero" in caplog.text
    assert harness.round(SECOND) == DeliveryReport()
    assert harness.round(MAX_PAUSE).failed == 1


def test_trouble_is_logged_when_it_changes(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    harness.post.script = [unavailable(), unavailable(), None]
    harness.put(notification())
    with caplog.at_level("INFO"):
        for _ in range(3):
            harness.round(MAX_PAUSE)
    assert [record.getMessage() for record in caplog.records if record.name == "alerts.delivery"] == [
        "a message was not delivered: receiver=chat reason=HTTP 503",
        "messages are delivered again: receiver=chat",
    ]


def test_stopping_ends_a_lane_after_the_message_that_it_sends(harness: Harness) -> None:
    stop = threading.Event()

    def post(receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
        stop.set()
        return harness.post(receiver, envelope)

    courier = Courier(post, harness.clock, stop)
    harness.put(*(notification(id=f"n{number}", incident_id=f"i{number}") for number in range(5)))
    courier.start(harness.outbox, GIVEN)
    courier.close()
    assert len(harness.post.taken) == 1


def test_a_receiver_that_is_down_for_an_hour_loses_nothing_and_delays_no_other(harness: Harness) -> None:
    harness.put(*(notification(id=f"c{number}", incident_id=f"i{number}") for number in range(40)))
    harness.put(*(notification(id=f"p{number}", incident_id=f"i{number}", receiver="pager") for number in range(3)))
    harness.post.down = {"chat"}
    while harness.clock.now() < START + timedelta(hours=1):
        harness.round(SECOND * 5)
        if harness.clock.now() == START + SECOND * 5:
            assert {name for name, _, _ in harness.post.taken} == {"pager"}
    assert len(harness.post.tried) < 200, "a broken receiver is left alone"
    harness.post.down = set()
    for _ in range(120):
        harness.round(SECOND * 5)
    assert sorted(key for name, key, _ in harness.post.taken if name == "chat") == sorted(f"c{number}" for number in range(40))


def test_a_message_past_its_deadline_is_given_up_without_an_attempt(harness: Harness) -> None:
    harness.put(notification())
    assert harness.round(timedelta(days=30)).failed == 1
    assert (harness.state().error, harness.post.tried) == ("given up: older than 30d", [])


def test_later_messages_go_into_the_thread_of_the_first(harness: Harness) -> None:
    harness.put(notification(), notification(id="end", reason=NotifyReason.RESOLVED, created_at=START + SECOND))
    harness.round()
    harness.round(2 * SECOND)
    assert (harness.state().reference, harness.post.threads) == ("ref-n1", ["", "ref-n1"])


def test_no_receiver_gets_more_a_minute_than_it_takes(harness: Harness) -> None:
    harness.put(*(notification(id=f"n{number}", incident_id=f"i{number}") for number in range(200)))
    for _ in range(60):
        harness.round(SECOND)
    assert 58 <= len(harness.post.taken) <= 66


def test_a_pace_follows_a_clock_that_is_set_back() -> None:
    pace = Pace("chat", 60)
    assert all(pace.take(START) for _ in range(6))
    assert not pace.take(START)
    assert pace.rests(START + SECOND / 2)
    assert not pace.rests(START - timedelta(hours=1))
    assert not pace.take(START - timedelta(hours=1)), "a clock set back makes no tokens"
    assert pace.take(START - timedelta(hours=1) + SECOND)
