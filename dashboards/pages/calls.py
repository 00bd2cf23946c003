"""The pages of single calls: the search, its list, and one call with all its fields."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.record import BYTES, DIMENSIONS, FLAGS, LATENCIES, TEXTS, TOKENS
from dashboards.calls import DEFAULT_LAST, PATH, SLOWEST, CallsData, address_of
from dashboards.pages.controls import filters, windows
from dashboards.pages.options import an_option, option, removable, text_field
from dashboards.pages.words import facts, notice, table
from dashboards.selection import FILTERS
from dashboards.window import iso, link
from render.units import format_number

_WORDS = {"ts": "time", "ttft_ms": "TTFT ms", "cost_usd": "cost USD"}
_AROUND = timedelta(hours=1)
_HEAD = ("time", "service and route", "tenant", "model", "status", "latency, ms", "TTFT, ms", "tokens", "USD", "request")


def layout(query: Mapping[str, str], choices: Mapping[str, list[str]]) -> Any:
    """The search before its list; `query` sets what is chosen."""
    more = [
        text_field("request_id", "request id", query, "any"),
        text_field("trace_id", "trace id", query, "any"),
        option("errors", "outcome", [an_option("errors only", "true")], query, "all calls"),
        option("sort", "order", [an_option("slowest first", SLOWEST)], query, "newest first"),
    ]
    return html.Div(
        [
            html.Div([html.H1("Calls"), html.Div(id="calls-span", className="muted")], className="heading"),
            html.Div([windows(PATH, DEFAULT_LAST), filters(query, choices)], className="controls"),
            html.Div(more, className="controls options"),
            html.Div(id="calls-notes"),
            html.Section(notice("Loading …"), id="calls-list", className="panel"),
        ]
    )


def call_layout() -> Any:
    """One call before its fields."""
    return html.Div([html.Div(html.H1("Call"), className="heading"), html.Div(notice("Loading …"), id="call-body")])


def notes(data: CallsData) -> Any:
    """Filters that the page has no list for."""
    return removable(PATH, data.query, [name for name in data.selector.dimensions if name not in FILTERS])


def listing(data: CallsData, zone: ZoneInfo) -> list[Any]:
    """The calls of this page, and the ways to the next one and back to the first."""
    order = "slowest first" if data.slowest else "newest first"
    head = html.Div(
        [
            html.Div([html.H2("Single calls"), html.Div(f"{order} · {len(data.calls)} on this page", className="muted")]),
            html.Div(html.A("CSV", href=data.file, className="button quiet", title="All of them as CSV, a million at most"),
                     className="exports"),
        ],
        className="card-head",
    )  # fmt: skip
    if not data.calls:
        return [head, notice("No call of this window fits. Choose a longer window, or fewer filters."), _ways(data)]
    rows = [_row(call, zone) for call in data.calls]
    return [head, table(_HEAD, rows, caption=f"Calls, {order}", numeric=(5, 6, 7, 8)), _ways(data)]


def _ways(data: CallsData) -> Any:
    ways = []
    if "after" in data.query:
        first = {name: value for name, value in data.query.items() if name != "after"}
        ways.append(dcc.Link("First page", href=link(PATH, first), className="button quiet"))
    if data.next_query is not None:
        words = "Faster calls" if data.slowest else "Older calls"
        ways.append(dcc.Link(words, href=link(PATH, data.next_query), className="button quiet", id="calls-next"))
    return html.Div(ways, className="exports")


def _row(call: Mapping[str, Any], zone: ZoneInfo) -> list[Any]:
    where = [html.Div(call["service"] or "(none)"), html.Div(f"{call['method']} {call['route']}".strip(), className="muted")]
    known = [call[name] for name in ("prompt_tokens", "completion_tokens") if call[name] is not None]
    return [
        clock(call["ts"], zone),
        where,
        call["tenant"] or "–",
        call["model"] or "–",
        outcome(call),
        _number(call["latency_ms"]),
        _number(call["ttft_ms"]),
        _number(sum(known)) if known else "–",
        _number(call["cost_usd"]),
        dcc.Link(call["request_id"] or "open", href=address_of(call)),
    ]


def outcome(call: Mapping[str, Any]) -> Any:
    """`200`, or `502 upstream` marked as bad: by words and a sign, not by colour alone."""
    status, error = call["status"], call["error_type"]
    words = " ".join(str(part) for part in (status, error) if part) or "unknown"
    bad = bool(error) or (status is not None and status >= 500)
    return html.Span(f"✕ {words}" if bad else words, className="verdict verdict-bad" if bad else None)


def clock(moment: Any, zone: ZoneInfo) -> Any:
    """A call's instant to the millisecond."""
    local = moment.astimezone(zone)
    text = f"{local:%a %d %b %H:%M:%S}.{local.microsecond // 1000:03d}"
    return html.Time(text, dateTime=moment.isoformat(), title=f"{local:%Y-%m-%d %H:%M:%S %Z}")


def one_call(call: Mapping[str, Any] | None, zone: ZoneInfo) -> list[Any]:
    """Every field of one call, what is unknown as such; and the calls around it."""
    if call is None:
        return [notice("There is no such call; single calls are kept for a while only (retention.calls).", tone="bad")]
    around = {"from": iso(call["ts"] - _AROUND), "to": iso(call["ts"] + _AROUND)}
    ways = [
        dcc.Link(words, href=link(PATH, {**around, **narrowed}), className="button quiet")
        for words, narrowed in (
            ("All calls of this trace", {"trace_id": call["trace_id"]}),
            ("Calls with this request id", {"request_id": call["request_id"]}),
            ("Calls of this route around it", {"service": call["service"], "route": call["route"]}),
            ("Calls of this tenant around it", {"tenant": call["tenant"]}),
        )
        if all(narrowed.values())
    ]
    groups = (
        ("What and where", ("ts", *TEXTS, *DIMENSIONS, "status")),
        ("How long (ms), how much", (*LATENCIES, *BYTES, *TOKENS, "cost_usd", *FLAGS, "retries", "prompt_hash")),
        ("Where the record came from", ("ingested_at", "topic", "partition", "offset")),
    )
    panels = [html.Section([html.H2(title), facts([_field(call, name, zone) for name in names])], className="panel")
              for title, names in groups]  # fmt: skip
    attributes = sorted(dict(call["attributes"]).items())
    if attributes:
        panels.append(html.Section([html.H2("Attributes"), facts(attributes)], className="panel"))
    return [html.Div(ways, className="chips"), *panels]


def _field(call: Mapping[str, Any], name: str, zone: ZoneInfo) -> tuple[str, Any]:
    value, words = call[name], field_words(name)
    if name in ("ts", "ingested_at"):
        return words, clock(value, zone)
    if name == "error_type" and value == "" and call["status"] is not None:
        return words, "none"
    if value is None or value == "" or (name == "prompt_hash" and value == 0):
        return words, html.Span("unknown", className="muted")
    if isinstance(value, bool):
        return words, "yes" if value else "no"
    return words, f"{value:,.6g}" if isinstance(value, float) else str(value)


def field_words(name: str) -> str:
    """What a field of the record is called on the page."""
    return _WORDS.get(name) or name.replace("_", " ")


def _number(value: float | None) -> str:
    return "–" if value is None else format_number(value)
