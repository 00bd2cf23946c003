"""Feishu and Lark: a group's custom bot, signed where it is set to verify signatures.

https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: the key of the HMAC is `TIMESTAMP\\nSECRET`, its message is
empty; a request may have 20 KB.
"""

import base64
import hashlib
import hmac

from alerts.receivers.base import Envelope, Receipt, check_code, post_json, secret
from alerts.web_client import WebClient
from core.config import ReceiverSettings

MOST_BYTES = 20_000
_PASSING = frozenset({9499, 11232})  # too many requests


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    body = envelope.body
    if key := secret(receiver):
        timestamp = str(int(envelope.now.timestamp()))
        body |= {"timestamp": timestamp, "sign": signature(timestamp, key)}
    answer = post_json(client, receiver, envelope, body)
    check_code(answer, "code", _PASSING)
    return Receipt(status=answer.status)


def signature(timestamp: str, key: str) -> str:
    digest = hmac.new(f"{timestamp}\n{key}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
