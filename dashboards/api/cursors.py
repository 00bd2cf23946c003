"""Cursors: where a page of an answer ends, as a text that the next question brings along. Opaque to clients, checked here."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from dashboards.problems import Problem

T = TypeVar("T")
Key = tuple[str | int | float, ...]

MAX_LENGTH = 2000
_STORABLE = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC))
"""What the store's times can hold."""


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
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _wrong() from None
    if not _STORABLE[0] <= moment < _STORABLE[1]:
        raise _wrong()
    return moment


def int_of(number: int, bits: int) -> int:
    """A number that stands in a cursor and is none too large for the store's signed ones; raises Problem (400)."""
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise _wrong()
    return number


def newest_page(
    items: Sequence[T], at: Callable[[T], datetime], id_of: Callable[[T], str], cursor: str | None, limit: int
) -> tuple[list[T], str | None]:
    """At most `limit` items behind the cursor, newest first and of equal times by id; and the cursor of the next page."""
    return page_of(items, lambda one: (-at(one).timestamp(), id_of(one)), (float, str), cursor, limit)


def page_of(
    items: Sequence[T], key: Callable[[T], Key], kinds: Sequence[type], cursor: str | None, limit: int
) -> tuple[list[T], str | None]:
    """At most `limit` items behind the cursor, in the order of a key that no two share; and the cursor of the next page.

    The cursor is the last item's key (its parts are of `kinds`): what comes or goes before it moves no later page.
    """
    ordered = sorted(items, key=key)
    if cursor is not None:
        behind = tuple(parts_of(cursor, kinds))
        ordered = [one for one in ordered if key(one) > behind]
    page = ordered[:limit]
    return page, cursor_of(*key(page[-1])) if len(ordered) > limit else None


def _wrong() -> Problem:
    return Problem(400, "cursor: is none that this address gave; leave it out to begin anew.", parameter="cursor")
