"""WeCom: a group's robot. https://developer.work.weixin.qq.com/document/path/91770: Markdown of 4,096 bytes, 20 a minute.

The picture is a message of its own, since Markdown takes none; it may have 2 MB.
"""

import base64
import hashlib
import logging

from alerts.receivers.base import Envelope, Receipt, check_code, post_json
from alerts.web_client import ReceiverUnavailable, WebClient
from core.config import ReceiverSettings
from core.errors import DeliveryRefused

logger = logging.getLogger(__name__)

MOST_MARKDOWN_BYTES = 4096
_PASSING = frozenset({-1, 45009})  # busy; too many requests


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    answer = post_json(client, receiver, envelope, envelope.body)
    check_code(answer, "errcode", _PASSING)
    if (picture := envelope.picture()) is not None:
        try:
            check_code(post_json(client, receiver, envelope, _image(picture)), "errcode", _PASSING)
        except (DeliveryRefused, ReceiverUnavailable) as error:  # the message itself has arrived
            logger.info("a picture was not taken: receiver=%s reason=%s", receiver.name, error)
    return Receipt(status=answer.status)


def _image(picture: bytes) -> dict[str, object]:
    digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()  # what the service compares, not a protection
    return {"msgtype": "image", "image": {"base64": base64.b64encode(picture).decode(), "md5": digest}}
