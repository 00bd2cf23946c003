"""Slack: an incoming webhook, or with a bot token the Web API, which knows threads and takes pictures.

Block Kit's sizes and the escaping are in the template and in `escaping.slack`. Uploads follow Slack's present way (ask for an
address, put the file there, complete): https://docs.slack.dev/messaging/working-with-files#uploading_files
"""

import logging
from typing import Any

from alerts.receivers.base import PICTURE_NAME, Envelope, Receipt, address, call, post_json, token
from alerts.web_client import ReceiverUnavailable, Request, WebClient
from core.config import ReceiverSettings
from core.errors import DeliveryRefused

logger = logging.getLogger(__name__)

API = "https://slack.com/api/"
_PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
    }
)


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    if receiver.token is None:
        return Receipt(status=post_json(client, receiver, envelope, envelope.body).status)
    body = {**envelope.body, "channel": receiver.channel, "unfurl_links": False, "unfurl_media": False}
    if envelope.thread:
        body |= {"thread_ts": envelope.thread}
    taken = _api(client, receiver, envelope, "chat.postMessage", body)
    posted = str(taken.get("ts", ""))
    if (picture := envelope.picture()) is not None:
        _upload(client, receiver, envelope, picture, envelope.thread or posted)
    return Receipt(status=200, reference=envelope.thread or posted)


def _upload(client: WebClient, receiver: ReceiverSettings, envelope: Envelope, picture: bytes, thread: str) -> None:
    """Best effort: the message itself has arrived and must not be sent again for its picture's sake."""
    try:
        place = _form(client, receiver, envelope, "files.getUploadURLExternal", filename=PICTURE_NAME, length=str(len(picture)))
        upload = Request(url=str(place["upload_url"]), body=picture, headers={"content-type": "application/octet-stream"})
        call(client, receiver, envelope, upload)
        files = [{"id": str(place["file_id"]), "title": "The last hours"}]
        done = {"files": files, "channel_id": receiver.channel, "thread_ts": thread}
        _api(client, receiver, envelope, "files.completeUploadExternal", done)
    except (DeliveryRefused, ReceiverUnavailable, KeyError) as error:
        logger.info("a picture was not uploaded: receiver=%s reason=%s", receiver.name, error)


def _api(client: WebClient, receiver: ReceiverSettings, envelope: Envelope, method: str, body: object) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token(receiver)}", "content-type": "application/json; charset=utf-8"}
    url = address(receiver, API) + method
    return _checked(post_json(client, receiver, envelope, body, url=url, headers=headers).json)


def _form(client: WebClient, receiver: ReceiverSettings, envelope: Envelope, method: str, **form: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token(receiver)}"}
    request = Request(url=address(receiver, API) + method, form=form, headers=headers)
    return _checked(call(client, receiver, envelope, request).json)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The Web API says 200 to everything: `ok` decides, and `error` is one of its documented words."""
    if answer.get("ok") is True:
        return answer
    word = str(answer.get("error", "no answer of the Web API"))[:60]
    if word in _PASSING or "error" not in answer:
        raise ReceiverUnavailable(f"Slack: {word}")
    raise DeliveryRefused(f"Slack: {word}")
