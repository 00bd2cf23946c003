"""What `tpscope alerts check` looks at beyond the settings' own validation: templates, cron expressions, addresses, links."""

import ipaddress
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from alerts.addresses import denied_by
from alerts.message import Message
from alerts.receivers.templating import check_template
from alerts.sample import sample_message
from alerts.silences import check_windows
from core.config import ReceiverSettings, Settings
from core.errors import ConfigError


def problems(settings: Settings, now: datetime) -> Iterator[ConfigError]:
    """What would not work, each with its place in the configuration or the template's file."""
    try:
        check_windows(settings.silences)
    except ConfigError as error:
        yield error
    for number, receiver in enumerate(settings.receivers):
        where = f"receivers.{number}"
        yield from _of_receiver(receiver, where, sample_message(settings, receiver, now))


def advice(settings: Settings) -> Iterator[str]:
    """What works, but perhaps not as it is meant."""
    if settings.web.link_key is not None and not settings.web.public_url:
        yield "web.link_key has no effect without web.public_url: messages have no links by which people act"
    if settings.web.public_url and settings.web.link_key is None and settings.receivers:
        yield "messages have no links by which people acknowledge or snooze; web.link_key turns them on"
    told = {name for rule in settings.rules for name in rule.receivers}
    if not settings.receivers and not told:
        yield "no receiver is configured: incidents are shown on the pages and told to nobody"


def _of_receiver(receiver: ReceiverSettings, where: str, message: Message) -> Iterator[ConfigError]:
    if receiver.template:
        try:
            check_template(receiver.template, message)
        except ConfigError as error:
            yield ConfigError(f"{where}.template: {error.where}", error.problem)
    host = urlsplit(receiver.url.reveal()).hostname if receiver.url else receiver.smtp.host if receiver.smtp else None
    allowed = [ipaddress.ip_network(text) for text in receiver.allow_networks]
    if host is not None and _is_number(host) and (network := denied_by(host, allowed)) is not None:
        yield ConfigError(f"{where}.url", f"its address lies in {network}, which is denied; allow_networks makes an exception")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
