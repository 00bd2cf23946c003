"""Discord: a channel's webhook, with the picture inside the embed. `allowed_mentions` is empty, so nothing notifies.

https://discord.com/developers/docs/resources/webhook#execute-webhook
"""

import orjson

from alerts.receivers.base import IDEMPOTENCY_HEADER, PICTURE_MEDIA, PICTURE_NAME, Envelope, Receipt, address, call, post_json
from alerts.web_client import Request, WebClient
from core.config import ReceiverSettings


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    url = address(receiver)
    url += ("&" if "?" in url else "?") + "wait=true"  # else a message that is not kept is answered with 204 as well
    body, picture = envelope.body, envelope.picture()
    if picture is None or not body.get("embeds"):
        answer = post_json(client, receiver, envelope, body, url=url)
    else:
        body["embeds"][0]["image"] = {"url": f"attachment://{PICTURE_NAME}"}
        request = Request(
            url=url,
            form={"payload_json": orjson.dumps(body).decode()},
            files={"files[0]": (PICTURE_NAME, picture, PICTURE_MEDIA)},
            headers={IDEMPOTENCY_HEADER: envelope.key},
        )
        answer = call(client, receiver, envelope, request)
    return Receipt(status=answer.status, reference=str(answer.json.get("id", "")))
