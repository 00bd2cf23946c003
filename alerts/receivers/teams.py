"""Microsoft Teams: an Adaptive Card to a Workflows webhook (Office connectors are retired). Text is escaped as Markdown."""

from alerts.receivers.base import Envelope, Receipt, post_json
from alerts.web_client import WebClient
from core.config import ReceiverSettings

MOST_BYTES = 28_000
"""https://learn.microsoft.com/microsoftteams/limits-specifications-teams: a message's approximate limit is 28 KB."""


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    return Receipt(status=post_json(client, receiver, envelope, envelope.body).status)
