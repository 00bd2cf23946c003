"""One delivery over real HTTP: what counts as taken, as passing trouble, as refused; and that no address gets out."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.jobs import send_test
from alerts.post import AnyPost, Envelope, ReceiverUnavailable
from core.config import ReceiverSettings, Settings
from core.errors import ConfigError, DeliveryRefused
from tests.support.receiver import Answer, Receiver

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = "T0/B0/s3cr3t-t0ken"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def post() -> Iterator[AnyPost]:
    made = AnyPost()
    yield made
    made.close()


def send(post: AnyPost, receiver: ReceiverSettings, payload: str = "{}", key: str = "k") -> int:
    return post(receiver, Envelope(key=key, payload=payload, now=NOW)).status


def to(receiver: Receiver | None, url: str = "", **more: Any) -> ReceiverSettings:
    address = url or f"{receiver.url if receiver else ''}/{SECRET}?key=s3cr3t"
    return ReceiverSettings.model_validate({"name": "chat", "url": address, "timeout": "2s", **more})


def test_a_message_arrives_as_json_under_its_key(receiver: Receiver, post: AnyPost) -> None:
    assert send(post, to(receiver), '{"text":"ü"}', "key-1") == 200
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", f"/{SECRET}?key=s3cr3t")
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"text": "ü"}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_taken(receiver: Receiver, post: AnyPost, status: int) -> None:
    receiver.answer(status)
    assert send(post, to(receiver), "{}", "k") == status


@pytest.mark.parametrize(
    ("answer", "message", "retry_after_s"),
    [
        (Answer(status=503), "HTTP 503", None),
        (Answer(status=500, headers={"retry-after": "7"}), "HTTP 500", 7),
        (Answer(status=429, headers={"retry-after": "30"}, body=b"rate_limited"), "HTTP 429 (rate_limited)", 30),
        (Answer(status=429, headers={"retry-after": "Mon, 02 Mar 2026 12:00:10 GMT"}), "HTTP 429", 10),
        (Answer(status=408), "HTTP 408", None),
        (Answer(drop=True), "the connection failed (RemoteProtocolError)", None),
    ],
)
def test_what_passes_is_tried_again(
    receiver: Receiver, post: AnyPost, answer: Answer, message: str, retry_after_s: int | None
) -> None:
    receiver.answer(answer)
    with pytest.raises(ReceiverUnavailable) as caught:
        send(post, to(receiver), "{}", "k")
    assert str(caught.value) == message
    assert caught.value.retry_after == (None if retry_after_s is None else timedelta(seconds=retry_after_s))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=404, body=f"no service /{SECRET}".encode()), "HTTP 404"),
        (Answer(status=403, body=b"invalid_token"), "HTTP 403 (invalid_token)"),
        (Answer(status=400, body=b"x" * 100_000), "HTTP 400"),
        (Answer(status=410), "HTTP 410"),
    ],
)
def test_what_will_not_pass_is_refused_without_repeating_the_answer(
    receiver: Receiver, post: AnyPost, answer: Answer, message: str
) -> None:
    receiver.answer(answer)
    with pytest.raises(DeliveryRefused) as caught:
        send(post, to(receiver), "{}", "k")
    assert str(caught.value) == message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, post: AnyPost, status: int) -> None:
    with Receiver() as elsewhere:
        receiver.answer(Answer(status=status, headers={"location": f"{elsewhere.url}/x"}))
        with pytest.raises(DeliveryRefused, match="it redirects, which is not followed"):
            send(post, to(receiver), "{}", "k")
        assert elsewhere.requests == []


def test_no_answer_in_time(receiver: Receiver, post: AnyPost) -> None:
    receiver.answer(Answer(delay_s=30))
    with pytest.raises(ReceiverUnavailable, match=r"^no answer within 300ms$"):
        send(post, to(receiver, timeout="300ms"), "{}", "k")


def test_nobody_listens(post: AnyPost) -> None:
    with Receiver() as gone:
        address = to(gone)
    with pytest.raises(ReceiverUnavailable, match=r"^the connection failed \(ECONNREFUSED\)$"):
        send(post, address)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "http:///x"])
def test_an_address_that_is_none_is_refused(post: AnyPost, url: str) -> None:
    with pytest.raises((DeliveryRefused, ReceiverUnavailable)) as caught:
        send(post, to(None, url, allow_http=True), "{}", "k")
    assert url not in str(caught.value)


def test_the_address_is_in_no_log_and_no_error(receiver: Receiver, post: AnyPost, caplog: pytest.LogCaptureFixture) -> None:
    receiver.answer(200, Answer(status=404, body=SECRET.encode()), 503, Answer(drop=True))
    errors = []
    with caplog.at_level(logging.DEBUG):
        for key in ("a", "b", "c", "d"):
            try:
                send(post, to(receiver), "{}", key)
            except (DeliveryRefused, ReceiverUnavailable) as error:
                errors.append(f"{error!r} {error.__cause__!r}")
    assert len(errors) == 3
    for text in (caplog.text, *errors):
        assert "s3cr3t" not in text
        assert "T0/B0" not in text


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_a_test_message_says_that_it_is_one(receiver: Receiver, kind: str) -> None:
    given = Settings.model_validate({"receivers": [{"name": "chat", "type": kind, "url": receiver.url}]})
    result = send_test(given, "chat")
    assert (result.receiver, result.delivered, result.status, result.problem) == ("chat", True, 200, "")
    sent = receiver.requests[0].json
    headline = sent["headline"] if kind == "webhook" else sent["text"]
    assert headline == "[test] Test message from tpscope: nothing is wrong"
    assert kind == "slack" or sent["reason"] == "test"
    assert receiver.requests[0].headers["idempotency-key"].startswith("test-")


def test_a_test_message_that_does_not_arrive_says_why(receiver: Receiver) -> None:
    receiver.answer(404)
    given = Settings.model_validate({"receivers": [{"name": "chat", "url": receiver.url}]})
    result = send_test(given, "chat")
    assert (result.delivered, result.status, result.problem) == (False, None, "HTTP 404")
    assert len(receiver.requests) == 1, "a test is sent once"


def test_a_test_for_nobody_names_who_there_is() -> None:
    given = Settings.model_validate({"receivers": [{"name": "chat", "url": "http://127.0.0.1:1"}]})
    with pytest.raises(ConfigError, match="there is no receiver 'pager'; known: chat"):
        send_test(given, "pager")
    with pytest.raises(ConfigError, match="known: none is configured"):
        send_test(Settings(), "pager")
