"""Everything else, through the library Apprise (extra `apprise`): the receiver's token is one of Apprise's addresses.

Apprise connects by itself: the deny-list of addresses and the rule about https are not applied to it.
"""

import logging
from typing import Any

from alerts.receivers.base import PICTURE_MEDIA, PICTURE_NAME, Envelope, Receipt, token
from alerts.web_client import ReceiverUnavailable, WebClient
from core.config import ReceiverSettings
from core.errors import DeliveryRefused

_SERVICES = "https://github.com/caronc/apprise/wiki"


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    try:
        import apprise
        from apprise.attachment.memory import AttachMemory
    except ImportError:
        raise DeliveryRefused("apprise is not installed; run: pip install 'tpscope[apprise]'") from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold addresses with tokens in them
    service = apprise.Apprise()
    if not service.add(token(receiver)):
        raise DeliveryRefused(f"Apprise does not know such an address; see {_SERVICES}")
    body, picture = envelope.body, envelope.picture()
    made: Any = AttachMemory
    attached = None if picture is None else made(picture, name=PICTURE_NAME, mimetype=PICTURE_MEDIA)
    taken = service.notify(
        body=str(body.get("body", "")),
        title=str(body.get("title", "")),
        notify_type=apprise.NotifyType(str(body.get("type", "info"))),
        attach=attached,
    )
    if not taken:
        raise ReceiverUnavailable("Apprise could not deliver it")
    return Receipt(status=200)
