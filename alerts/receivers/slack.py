"""Slack's shape of an incoming webhook, which Mattermost and others read as well.

Everything that comes from outside is escaped, so a route named `<!channel>` notifies nobody, and cut to the sizes that Slack
accepts: a longer text makes it refuse the whole message. Sizes: the Block Kit reference for section and context blocks (3,000,
2,000 per field, 10 fields, 10 elements), and 4,000 for `text`, from where on Slack splits a message.
"""

from typing import Any
from urllib.parse import quote

import orjson

from alerts.message import TEST, Message
from core.types import IncidentState, Severity

TEXT_CHARS = 4000
SECTION_CHARS = 3000
FIELD_CHARS = 2000
FIELDS = 10
CONTEXT_CHARS = 1000

_COLORS = {Severity.INFO: "#3a7bd5", Severity.WARNING: "#e8a317", Severity.CRITICAL: "#c92a2a"}
_RESOLVED_COLOR = "#2f9e44"
_TEST_COLOR = "#868e96"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_URL_SAFE = ":/?#[]@!$&'()*+,;=%-._~"  # what RFC 3986 allows in a URL; `<`, `>` and `|` are encoded


def render(message: Message) -> str:
    """The request's body: the headline as text, the details in an attachment with the severity's colour."""
    headline = escape(message.headline, TEXT_CHARS)
    attachment = {"color": _color(message), "fallback": headline, "blocks": _blocks(message)}
    return orjson.dumps({"text": headline, "attachments": [attachment]}).decode()


def escape(text: str, most: int) -> str:
    """`text` with Slack's three special characters as entities, at most `most` characters long, no entity cut in two."""
    escaped = [_ENTITIES.get(character, character) for character in text]
    if sum(map(len, escaped)) <= most:
        return "".join(escaped)
    kept, size = [], 1  # the ellipsis
    for part in escaped:
        if size + len(part) > most:
            break
        kept.append(part)
        size += len(part)
    return "".join(kept) + "…"


def _blocks(message: Message) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if message.explanation.strip():
        blocks.append({"type": "section", "text": _mrkdwn(escape(message.explanation, SECTION_CHARS))})
    fields = [_field(name, text) for name, text in message.facts[:FIELDS]]
    if fields:
        blocks.append({"type": "section", "fields": fields})
    if links := _links(message):
        blocks.append({"type": "section", "text": _mrkdwn(links)})
    incident = message.incident
    origin = f"tpscope · rule {incident.rule} · {incident.severity.value} · incident {incident.id}"
    blocks.append({"type": "context", "elements": [_mrkdwn(escape(origin, CONTEXT_CHARS))]})
    return blocks


def _field(name: str, text: str) -> dict[str, Any]:
    label = escape(name, 200)
    return _mrkdwn(f"*{label}*\n{escape(text, FIELD_CHARS - len(label) - 3)}")


def _links(message: Message) -> str:
    named = (("Open the incident", message.incident_url), ("Runbook", message.runbook_url))
    links = [f"<{url}|{name}>" for name, url in ((name, _url(address)) for name, address in named) if url]
    return " · ".join(links)


def _url(address: str) -> str:
    """Percent-encoded so that it cannot end the link; empty when it is too long to be shown."""
    encoded = quote(address, safe=_URL_SAFE).replace("&", "&amp;")
    return encoded if len(encoded) <= SECTION_CHARS // 2 - 100 else ""


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _color(message: Message) -> str:
    if message.reason == TEST:
        return _TEST_COLOR
    return _RESOLVED_COLOR if message.incident.state is IncidentState.RESOLVED else _COLORS[message.incident.severity]
