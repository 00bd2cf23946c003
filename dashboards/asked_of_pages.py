"""What a page's request asks, as a key: the same for all who have that page open, whatever their browser has counted."""

from collections.abc import Iterator
from typing import Any

import orjson

UPDATE = "/_dash-update-component"
CLOCK = "n_intervals"
"""The property of the clocks that make a page ask again; how often one has struck changes nothing."""


def key_of(body: bytes, *whose: str) -> bytes | None:
    """The key of a question that follows a page's clock; None for any other, and for what cannot be read."""
    try:
        asked = orjson.loads(body)
        inputs, state = asked["inputs"], asked.get("state") or []
        if not any(part.get("property") == CLOCK for part in _parts(inputs)):
            return None
        told = [[part.get("id"), part.get("property"), part.get("value")] for part in _told((inputs, state))]
        return orjson.dumps([whose, asked["output"], asked.get("outputs"), told], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _told(parts: Any) -> Iterator[dict[str, Any]]:
    return (part for part in _parts(parts) if part.get("property") != CLOCK)


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """The parts of a list that may hold lists of them."""
    if isinstance(node, dict):
        yield node
    else:
        for one in node:
            yield from _parts(one)
