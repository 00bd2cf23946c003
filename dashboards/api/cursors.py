"""Cursors: where a page of an answer ends, as a text that the next question brings along. Opaque to clients, checked here."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from dashboards.problems import Problem

T = TypeVar("T")

MAX_LENGTH = 2000


def cursor_of(*parts: str | int | float) -> str:
    """The parts as a text of letters that need no encoding in an address."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def parts_of(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The parts again; raises Problem (400) for what is no cursor of this address."""
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise _wrong() from None
    fits = isinstance(parts, list) and len(parts) == len(kinds)
    if not fits or not all(type(part) is kind for part, kind in zip(parts, kinds, strict=True)):
        raise _wrong()
    return list(parts)


def moment_of(text: str) -> datetime:
    """A time that stands in a cursor; raises Problem (400)."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong() from None


def newest_page(
    items: Sequence[T], at: Callable[[T], datetime], id_of: Callable[[T], str], cursor: str | None, limit: int
) -> tuple[list[T], str | None]:
    """At most `limit` items behind the cursor, newest first and of equal times by id; and the cursor of the next page."""
    ordered = sorted(items, key=lambda one: (-at(one).timestamp(), id_of(one)))
    if cursor is not None:
        text, last = parts_of(cursor, (str, str))
        behind = (-moment_of(text).timestamp(), last)
        ordered = [one for one in ordered if (-at(one).timestamp(), id_of(one)) > behind]
    page = ordered[:limit]
    more = len(ordered) > limit
    return page, cursor_of(at(page[-1]).isoformat(), id_of(page[-1])) if more else None


def _wrong() -> Problem:
    return Problem(400, "cursor: is none that this address gave; leave it out to begin anew.", parameter="cursor")
