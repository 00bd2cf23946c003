"""Mattermost: an incoming webhook with attachments. Text is escaped as Markdown, mentions are taken apart."""

from alerts.receivers.base import Envelope, Receipt, post_json
from alerts.web_client import WebClient
from core.config import ReceiverSettings

MOST_CHARS = 16_383
"""https://developers.mattermost.com/integrate/webhooks/incoming/: longer posts are split."""


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    return Receipt(status=post_json(client, receiver, envelope, envelope.body).status)
