"""tpscope's own JSON for generic webhooks, signed; docs/webhook.md documents version 1: fields are added, never changed."""

import hashlib
import hmac

from alerts.receivers.base import IDEMPOTENCY_HEADER, Envelope, Receipt, address, call, secret
from alerts.web_client import Request, WebClient
from core.config import ReceiverSettings

TIMESTAMP_HEADER = "X-Tpscope-Timestamp"
SIGNATURE_HEADER = "X-Tpscope-Signature"


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    body = envelope.payload.encode()
    headers = {IDEMPOTENCY_HEADER: envelope.key}
    if key := secret(receiver):
        timestamp = str(int(envelope.now.timestamp()))
        headers |= {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature(body, timestamp, key)}
    return Receipt(status=call(client, receiver, envelope, Request(url=address(receiver), body=body, headers=headers)).status)


def signature(body: bytes, timestamp: str, key: str) -> str:
    """`v1=` and the hexadecimal HMAC-SHA256 of `TIMESTAMP.BODY`: an old message cannot be sent again as a new one."""
    return "v1=" + hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
