"""What pages about a window of time have at their head: window buttons, filters, and what is shown in words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.durations import parse_duration
from dashboards.pages.shell import with_query
from dashboards.pages.words import extra, when
from dashboards.selection import FILTERS
from dashboards.window import Window
from render.units import format_span

WINDOWS: tuple[tuple[str, str], ...] = (
    ("15m", "15 min"),
    ("1h", "1 h"),
    ("6h", "6 h"),
    ("24h", "24 h"),
    ("7d", "7 d"),
    ("14d", "14 d"),
    ("56d", "8 w"),
)

SLOW_REFRESH_MS = 60_000

WORDS = {"compare": "compare with"}
"""What filters are called that are not called by their parameter."""

NOTHING = {"compare": "nothing"}
"""What stands where such a filter is empty."""


def windows(path: str, default: str) -> Any:
    """Links that set the window of the page at `path`; `default` is what it shows without one."""
    buttons = [
        dcc.Link(
            words,
            href=with_query(path, {"last": last}),
            id={"type": "window", "last": last},
            className="segment open" if last == default else "segment",
        )
        for last, words in WINDOWS
    ]
    return html.Div(buttons, className="segments", role="group", **extra(aria_label="Time window", data_default=default))


def filters(query: Mapping[str, str], choices: Mapping[str, list[Any]], names: tuple[str, ...] = FILTERS) -> Any:
    """A choice a dimension, tied to the parameter of its name in the address."""
    return html.Div([_filter(name, query.get(name), choices.get(name, [])) for name in names], className="filters")


def _filter(name: str, chosen: str | None, options: list[Any]) -> Any:
    if chosen and chosen not in (one["value"] if isinstance(one, dict) else one for one in options):
        options = [chosen, *options]
    return html.Label(
        [
            html.Span(WORDS.get(name, name), className="label"),
            dcc.Dropdown(
                id={"type": "filter", "dim": name},
                options=options,
                value=chosen,
                placeholder=NOTHING.get(name, f"all {name}s"),
                clearable=True,
                optionHeight=32,
                maxHeight=320,
            ),
        ],
        className="filter",
    )


def choice(name: str, words: str, options: list[Any], value: str | None, *, wide: bool = True) -> Any:
    """One of some options, tied to the parameter `name` of the address; never empty."""
    return html.Label(
        [
            html.Span(words, className="label"),
            dcc.Dropdown(
                id={"type": "choice", "part": name},
                options=options,
                value=value,
                clearable=False,
                optionHeight=32,
                maxHeight=320,
            ),
        ],
        className="filter wide" if wide else "filter",
    )


def span_words(window: Window, zone: ZoneInfo, now: datetime) -> list[Any]:
    """`last 6 h · Sun 01 Mar 06:00 to 12:00 · UTC · updated 12:00:05`."""
    lead = [html.Span(f"last {_length(window.last)}")] if window.last else []
    return [*lead, html.Span([when(window.start, zone), " to ", when(window.end, zone)]), *updated(zone, now)]


def updated(zone: ZoneInfo, now: datetime) -> list[Any]:
    """The page's time zone, and when it was read."""
    return [html.Span(f"time zone {zone.key}"), html.Span(f"updated {now.astimezone(zone):%H:%M:%S}")]


def slow_tick(page: str) -> Any:
    """A clock of a page's own, for what changes by the hour or costs more to read."""
    return dcc.Interval(id={"type": "slow-tick", "page": page}, interval=SLOW_REFRESH_MS)


def _length(last: timedelta) -> str:
    return next((words for text, words in WINDOWS if parse_duration(text) == last), format_span(last))
