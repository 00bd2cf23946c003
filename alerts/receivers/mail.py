"""E-mail by SMTP: text and HTML, the picture inside, all messages about an incident in one conversation."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from alerts.addresses import DeniedAddress, checked
from alerts.receivers.base import PICTURE_NAME, Envelope, Receipt
from alerts.web_client import ReceiverUnavailable, WebClient, words
from core.config import ReceiverSettings, SmtpSettings
from core.errors import DeliveryRefused

_PICTURE_ID = "chart@tpscope"
_PICTURE_PLACE = "<!-- picture -->"
_PICTURE_TAG = f'<img src="cid:{_PICTURE_ID}" alt="The last hours" width="800" style="max-width: 100%">'


def send(client: WebClient, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
    smtp = receiver.smtp
    if smtp is None:
        raise DeliveryRefused("no mail server is configured")
    message = _message(smtp, envelope)
    try:
        with _connect(smtp, receiver) as server:
            if smtp.username and smtp.password is not None:
                server.login(smtp.username, smtp.password.reveal())
            lost = server.send_message(message)
    except DeniedAddress as error:
        raise ReceiverUnavailable(str(error)) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _failure(max((code for code, _ in error.recipients.values()), default=550)) from None
    except smtplib.SMTPResponseException as error:
        raise _failure(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise DeliveryRefused("the mail server does not offer what is configured (STARTTLS or a login)") from None
    except TimeoutError:
        raise ReceiverUnavailable("no answer of the mail server in time") from None
    except (smtplib.SMTPException, OSError) as error:
        raise ReceiverUnavailable(words(error)) from None
    if lost:
        raise DeliveryRefused(f"the mail server refused {len(lost)} of {len(smtp.to)} recipients")
    return Receipt(status=250, reference=envelope.thread or str(message["Message-ID"]))


def _message(smtp: SmtpSettings, envelope: Envelope) -> EmailMessage:
    body = envelope.body
    message = EmailMessage()
    message["Subject"] = " ".join(str(body.get("subject", "")).split())
    message["From"], message["To"] = smtp.sender, ", ".join(smtp.to)
    message["Date"] = format_datetime(envelope.now)
    message["Message-ID"] = f"<{envelope.key}@tpscope>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    if envelope.thread:
        message["In-Reply-To"] = message["References"] = envelope.thread
    message.set_content(str(body.get("text", "")))
    page, picture = str(body.get("html", "")), envelope.picture()
    if page:
        message.add_alternative(page.replace(_PICTURE_PLACE, _PICTURE_TAG if picture else ""), subtype="html")
    if page and picture is not None:
        inside: Any = message.get_payload()
        inside[1].add_related(picture, "image", "png", cid=f"<{_PICTURE_ID}>", filename=PICTURE_NAME)
    return message


def _connect(smtp: SmtpSettings, receiver: ReceiverSettings) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=smtp.tls_ca)
    server = _CheckedSmtp(smtp, receiver, context)
    try:
        server.connect(smtp.host, smtp.port)
        if smtp.security == "starttls":
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


class _CheckedSmtp(smtplib.SMTP):
    """Connects to a checked address of the mail server, with TLS from the start where that is asked for."""

    def __init__(self, smtp: SmtpSettings, receiver: ReceiverSettings, context: ssl.SSLContext) -> None:
        super().__init__(timeout=receiver.timeout.total_seconds())
        self._host = smtp.host  # what the certificate must be for; smtplib sets it only when it connects by itself
        self._given, self._allowed, self._context = smtp, receiver.allow_networks, context

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        number = checked(host, port, self._allowed)[0]
        plain = socket.create_connection((number, port), timeout)
        return self._context.wrap_socket(plain, server_hostname=host) if self._given.security == "tls" else plain


def _failure(code: int) -> DeliveryRefused | ReceiverUnavailable:
    """RFC 5321, 4.2.1: 4xx may pass, 5xx will not."""
    said = f"the mail server answered {code}"
    return ReceiverUnavailable(said) if 400 <= code < 500 or code == 421 else DeliveryRefused(said)
