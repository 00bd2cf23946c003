"""Telegram: a bot's sendMessage; the picture and later messages answer the first. https://core.telegram.org/bots/api"""

import logging
from typing import Any

import orjson

from alerts.receivers.base import PICTURE_MEDIA, PICTURE_NAME, Envelope, Receipt, address, call, post_json, token
from alerts.web_client import ReceiverUnavailable, Request, WebClient
from core.config import ReceiverSettings
from core.errors import DeliveryRefused

logger = logging.getLogger(__name__)

API = "https://api.telegram.org"
MOST_CHARS = 4096


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    base = f"{address(receiver, API).rstrip('/')}/bot{token(receiver)}"
    body = {**envelope.body, "chat_id": receiver.channel}
    if envelope.thread:
        body["reply_parameters"] = _reply(envelope.thread)
    answer = post_json(client, receiver, envelope, body, url=f"{base}/sendMessage")
    posted = str(answer.json.get("result", {}).get("message_id", ""))
    if (picture := envelope.picture()) is not None:
        _photo(client, receiver, envelope, f"{base}/sendPhoto", picture, posted)
    return Receipt(status=answer.status, reference=envelope.thread or posted)


def _photo(client: WebClient, receiver: ReceiverSettings, envelope: Envelope, url: str, picture: bytes, answers: str) -> None:
    form = {"chat_id": receiver.channel, "disable_notification": "true"}
    if answers:
        form["reply_parameters"] = orjson.dumps(_reply(answers)).decode()
    try:
        call(client, receiver, envelope, Request(url=url, form=form, files={"photo": (PICTURE_NAME, picture, PICTURE_MEDIA)}))
    except (DeliveryRefused, ReceiverUnavailable) as error:  # the message itself has arrived
        logger.info("a picture was not taken: receiver=%s reason=%s", receiver.name, error)


def _reply(message_id: str) -> dict[str, Any]:
    return {"message_id": int(message_id) if message_id.isdigit() else 0, "allow_sending_without_reply": True}
