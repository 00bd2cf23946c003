"""Google Chat: a space's incoming webhook; all messages about an incident go into its thread.

https://developers.google.com/workspace/chat/quickstart/webhooks
"""

from alerts.receivers.base import Envelope, Receipt, address, post_json
from alerts.web_client import WebClient
from core.config import ReceiverSettings

MOST_BYTES = 32_000


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    body, url = envelope.body, address(receiver)
    if envelope.incident_id:
        body["thread"] = {"threadKey": f"tpscope-{envelope.incident_id}"}
        url += ("&" if "?" in url else "?") + "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    return Receipt(status=post_json(client, receiver, envelope, body, url=url).status)
