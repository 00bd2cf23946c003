"""Links in messages by which people act: signed, expiring, and each good for one use. Pure.

A token is `payload.signature`: the payload names incident, action, receiver and expiry, and with the nonce of the message that
it stands in it is unique; the signature is HMAC-SHA256. Whoever has a link may act, as with a link to reset a password; but
opening it only shows a page that asks, since chats open links to preview them.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from core.types import Action

VALID_FOR = timedelta(days=2)
PATH = "/act"


class InvalidLink(ValueError):
    """The link is not ours, was changed, or has expired; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLink:
    """What a link asks for.

    Attributes
    ----------
    nonce : str
        Unique to the message and the action: a used one is refused.
    """

    incident_id: str
    action: Action
    receiver: str
    nonce: str
    expires_at: datetime


def sign(link: ActionLink, key: str) -> str:
    """The token of a link, of characters that need no encoding in an address."""
    fields = [link.incident_id, link.action.value, link.receiver, link.nonce, int(link.expires_at.timestamp())]
    payload = _encode(orjson.dumps(fields))
    return f"{payload}.{_signature(payload, key)}"


def verify(token: str, key: str, now: datetime) -> ActionLink:
    """The link that a token stands for. Raises InvalidLink; the signature is compared in constant time."""
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(_signature(payload, key).encode(), signature.encode()):
        raise InvalidLink("This link is not valid.")
    incident_id, action, receiver, nonce, expires = orjson.loads(_decode(payload))
    link = ActionLink(
        incident_id=incident_id,
        action=Action(action),
        receiver=receiver,
        nonce=nonce,
        expires_at=datetime.fromtimestamp(expires, UTC),
    )
    if now >= link.expires_at:
        raise InvalidLink("This link has expired; open the incident's page instead.")
    return link


def _signature(payload: str, key: str) -> str:
    return _encode(hmac.new(key.encode(), payload.encode(), hashlib.sha256).digest())


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
