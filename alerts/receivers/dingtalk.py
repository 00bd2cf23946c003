"""DingTalk: a group's custom robot, signed where it is set to.

https://open.dingtalk.com/document/robots/custom-robot-access: HMAC-SHA256 of `MILLISECONDS\\nSECRET` under the secret, in the
address; 20 messages a minute.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from alerts.receivers.base import Envelope, Receipt, address, check_code, post_json, secret
from alerts.web_client import WebClient
from core.config import ReceiverSettings

MOST_BYTES = 20_000
_PASSING = frozenset({-1, 130101})  # busy; too many requests


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    url = address(receiver)
    if key := secret(receiver):
        timestamp = str(int(envelope.now.timestamp() * 1000))
        url += ("&" if "?" in url else "?") + urlencode({"timestamp": timestamp, "sign": signature(timestamp, key)})
    answer = post_json(client, receiver, envelope, envelope.body, url=url)
    check_code(answer, "errcode", _PASSING)
    return Receipt(status=answer.status)


def signature(timestamp: str, key: str) -> str:
    digest = hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
