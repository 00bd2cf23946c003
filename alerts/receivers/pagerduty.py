"""PagerDuty: Events API v2. `dedup_key` is the incident's: repeats and the end find the alert that the opening made.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from alerts.receivers.base import Envelope, Receipt, address, post_json, token
from alerts.web_client import WebClient
from core.config import ReceiverSettings

ENQUEUE = "https://events.pagerduty.com/v2/enqueue"
MOST_BYTES = 512_000


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    body = {**envelope.body, "routing_key": token(receiver)}
    answer = post_json(client, receiver, envelope, body, url=address(receiver, ENQUEUE))
    return Receipt(status=answer.status, reference=str(answer.json.get("dedup_key", "")))
