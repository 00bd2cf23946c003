"""One attempt to deliver one message, by whichever way its receiver has."""

from typing import Protocol

from alerts.receivers import SENDERS
from alerts.receivers.base import Envelope, Picture, Receipt, no_picture
from alerts.web_client import ReceiverUnavailable, WebClient
from core.config import ReceiverSettings

__all__ = ["AnyPost", "Envelope", "Picture", "Post", "Receipt", "ReceiverUnavailable", "no_picture"]


class Post(Protocol):
    """Sends a message once. Blocks up to a few times the receiver's timeout."""

    def __call__(self, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
        """What the receiver said. Raises `ReceiverUnavailable` or `DeliveryRefused` without the address in them."""


class AnyPost:
    """Sends to receivers of every type; safe to use from several threads. Close it at the end."""

    def __init__(self) -> None:
        self._client = WebClient()

    def __call__(self, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
        return SENDERS[receiver.type](self._client, receiver, envelope)

    def close(self) -> None:
        self._client.close()
