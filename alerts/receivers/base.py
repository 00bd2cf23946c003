"""What every receiver's module is made of: an envelope goes in, a receipt comes out; and the shape most of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from alerts.web_client import Answer, ReceiverUnavailable, Request, WebClient
from core.config import ReceiverSettings
from core.errors import DeliveryRefused

IDEMPOTENCY_HEADER = "Idempotency-Key"
PICTURE_NAME = "chart.png"
PICTURE_MEDIA = "image/png"

Picture = Callable[[], bytes | None]
"""Draws the message's picture when it is wanted; None when there is none. Never raises."""


def no_picture() -> None:
    """For messages without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message on its way to one receiver.

    Attributes
    ----------
    key : str
        The idempotency key: the same for every attempt.
    payload : str
        The stored body, JSON; it holds no secret. What signs it is added when it is sent.
    thread : str
        The reference of the incident's first message, where the chat gave one.
    """

    key: str
    payload: str
    now: datetime
    incident_id: str = ""
    thread: str = ""
    picture: Picture = no_picture

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(self.payload)
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That the receiver has the message; `reference` is what it calls it."""

    status: int
    reference: str = ""


Sender = Callable[[WebClient, ReceiverSettings, Envelope], Receipt]


def address(receiver: ReceiverSettings, default: str = "") -> str:
    """The receiver's url, or the service's own."""
    return receiver.url.reveal() if receiver.url is not None else default


def secret(receiver: ReceiverSettings) -> str:
    return receiver.secret.reveal() if receiver.secret is not None else ""


def token(receiver: ReceiverSettings) -> str:
    """The token that this type of receiver cannot be configured without."""
    if receiver.token is None:
        raise DeliveryRefused("no token is configured")
    return receiver.token.reveal()


def call(client: WebClient, receiver: ReceiverSettings, envelope: Envelope, request: Request) -> Answer:
    """One request of a delivery, under the receiver's limits."""
    return client.send(request, timeout=receiver.timeout, now=envelope.now, allowed=receiver.allow_networks)


def post_json(
    client: WebClient,
    receiver: ReceiverSettings,
    envelope: Envelope,
    body: object,
    *,
    url: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Post `body` to the receiver, under the message's key."""
    given = {IDEMPOTENCY_HEADER: envelope.key, **(headers or {})}
    return call(client, receiver, envelope, Request(url=url or address(receiver), json=body, headers=given))


def check_code(answer: Answer, name: str, passing: frozenset[int]) -> None:
    """For services that say 200 to everything and put a number into the body: 0 is good, `passing` may be tried again."""
    code = answer.json.get(name)
    if code == 0:
        return
    if not isinstance(code, int):
        raise ReceiverUnavailable(f"the answer has no {name}; is this the service's address?")
    if code in passing:
        raise ReceiverUnavailable(f"{name} {code}")
    raise DeliveryRefused(f"{name} {code}")
