"""What each chat reads as markup, taken out of text that comes from outside: a route named `<!channel>` notifies nobody. Pure.

Every function also cuts to the size that the service documents, so that a long text does not make it refuse the message.
"""

import html
import re
from urllib.parse import quote

ELLIPSIS = "…"
_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_URL_SAFE = ":/?#[]@!$&'()*+,;=%-._~"  # what RFC 3986 allows in a URL; `<`, `>`, `|` and quotes are encoded
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~])")  # without brackets there is no link and no picture
_MENTION = re.compile(r"@(?=\S)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WORD_JOINER = "\u2060"  # invisible; parts the at-sign from the name, so that no chat sees a mention
_ANGLES = str.maketrans({"<": "‹", ">": "›"})


def clip(text: str, most: int) -> str:
    """At most `most` characters."""
    return text if len(text) <= most else text[: max(most - 1, 0)] + ELLIPSIS


def clip_bytes(text: str, most: int) -> str:
    """At most `most` bytes of UTF-8, no character cut in two."""
    if len(text.encode()) <= most:
        return text
    return text.encode()[: max(most - 3, 0)].decode(errors="ignore") + ELLIPSIS


def slack(text: str, most: int) -> str:
    """Slack's three special characters as entities, at most `most` characters long, no entity cut in two."""
    return _clip_parts([_SLACK.get(character, character) for character in text], most)


def markup(text: str, most: int) -> str:
    """`text` for HTML (mail, Telegram, Google's cards), no entity cut in two."""
    return _clip_parts([html.escape(character) for character in text], most)


def markdown(text: str, most: int) -> str:
    """`text` as Markdown shows it literally, without mentions, in one line per line."""
    return _clip_parts([_MARKDOWN.sub(r"\\\1", character) for character in unmentioned(text)], most)


def unlinked(text: str, most: int) -> str:
    """For chats whose Markdown knows no escapes: emphasis may come through, links and mentions do not."""
    return clip(unmentioned(text).replace("](", "] (").replace("`", "'"), most)


def unmentioned(text: str) -> str:
    """`plain`, and without mentions by an at-sign."""
    return _MENTION.sub("@" + _WORD_JOINER, plain(text))


def plain(text: str) -> str:
    """Without control characters and angle brackets, which some chats read as mentions and links (`<users/all>`)."""
    return _CONTROL.sub("", text).translate(_ANGLES)


def url(address: str, most: int = 1400) -> str:
    """Percent-encoded so that it cannot end the link it stands in; empty when it is too long to be shown."""
    encoded = quote(address, safe=_URL_SAFE)
    return encoded if len(encoded) <= most else ""


def _clip_parts(parts: list[str], most: int) -> str:
    if sum(map(len, parts)) <= most:
        return "".join(parts)
    kept, size = [], len(ELLIPSIS)
    for part in parts:
        if size + len(part) > most:
            break
        kept.append(part)
        size += len(part)
    return "".join(kept) + ELLIPSIS
