"""What the pages of single calls show: one page of a search, and one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.series import Selector
from dashboards import queries
from dashboards.api.cursors import cursor_of, int_of, moment_of, parts_of
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.selection import LONGEST, read_selector
from dashboards.window import BadWindow, Window, link, read_window
from storage.call_pages import (
    CallKey,
    CallQuestion,
    key_of_last,
    key_of_row,
    read_call,
    read_newest_page,
    read_slowest_page,
)

PATH, CALL_PATH = "/calls", "/call"
DEFAULT_LAST = "1h"
PAGE_ROWS = 50
SLOWEST = "slowest"
_KINDS = (str, str, int, int, str, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsData:
    """One page of calls.

    Attributes
    ----------
    calls : tuple of dict
        With the names of the call record, unknown is None.
    next_query : dict or None
        What leads to the page behind this one; None: this is the last.
    file : str
        Where all of them are had as CSV.
    """

    window: Window
    selector: Selector
    calls: tuple[dict[str, Any], ...]
    query: Mapping[str, str]
    next_query: dict[str, str] | None
    slowest: bool
    file: str
    until: datetime | None


def load_calls(web: Web, query: Mapping[str, str]) -> CallsData:
    """The page that `query` names. Raises BadWindow for what cannot be read."""
    window = read_window(query, web.now(), DEFAULT_LAST, 60)
    selector = read_selector(query)
    question = CallQuestion(
        start=window.start,
        end=window.end,
        selector=selector,
        request_id=query.get("request_id", "")[:LONGEST].strip(),
        trace_id=query.get("trace_id", "")[:LONGEST].strip(),
        errors=query.get("errors") == "true",
    )
    slowest = query.get("sort") == SLOWEST
    after = read_key("after", query["after"]) if query.get("after") else None
    read = read_slowest_page if slowest else read_newest_page
    page = read(web.store, question, PAGE_ROWS, after)
    more = page.num_rows == PAGE_ROWS
    asked = {name: query[name] for name in ("last", "from", "to", "request_id", "trace_id", "errors") if query.get(name)}
    return CallsData(
        window=window,
        selector=selector,
        calls=tuple(page.to_pylist()),
        query=dict(query),
        next_query={**query, "after": key_text(key_of_last(page))} if more else None,
        slowest=slowest,
        file=link("/api/v1/exports/calls", {**asked, **selector.labels, "format": "csv"}),
        until=queries.freshness(web).complete_until,
    )


def load_call(web: Web, query: Mapping[str, str]) -> dict[str, Any] | None:
    """The call that `id` of `query` names, or None. Raises BadWindow for what is no name of a call."""
    found = read_call(web.store, read_key("id", query.get("id", ""))).to_pylist()
    return found[0] if found else None


def address_of(row: Mapping[str, Any]) -> str:
    """The address of one call's page."""
    return link(CALL_PATH, {"id": key_text(key_of_row(row))})


def key_text(key: CallKey) -> str:
    """A call's place as a text for an address."""
    return cursor_of(key.ts.isoformat(), key.topic, key.partition, key.offset, key.request_id, float(key.latency_ms))


def read_key(parameter: str, text: str) -> CallKey:
    """The place again. Raises BadWindow for what is none."""
    try:
        at, topic, partition, offset, request_id, latency_ms = parts_of(text[:4000], _KINDS)
        ts, partition, offset = moment_of(at), int_of(partition, 32), int_of(offset, 64)
    except Problem:
        raise BadWindow(parameter, "names no call of this service; follow a link of the list again", readable=False) from None
    return CallKey(
        ts=ts, topic=topic, partition=partition, offset=offset, request_id=request_id, latency_ms=latency_ms
    )  # fmt: skip
