"""Small pieces of HTML that every page uses: badges, empty states, definition lists, times."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import html

from core.types import Severity
from dashboards.look import Entry
from render.parts import MarkKind

_SEVERITY = {
    Severity.CRITICAL: ("◆", "Critical", "critical"),
    Severity.WARNING: ("▲", "Warning", "warning"),
    Severity.INFO: ("●", "Info", "info"),
}
"""Shape, word and class: never told by colour alone."""

_MARKS: dict[str, str] = {
    MarkKind.ANOMALY: "▼",
    MarkKind.INCIDENT: "◆",
    MarkKind.QUIET: "■",
    MarkKind.CHANGE: "★",
    MarkKind.MADE: "⬟",
}
"""The symbols of `render/marks.py`, for legends."""


NOTHING = "–"
"""What stands in a table's cell where there is nothing to say; narrow screens leave the cell out."""


def extra(**attributes: str) -> dict[str, Any]:
    """Attributes with a hyphen, which Python's keywords cannot spell: `aria_label` becomes `aria-label`."""
    return {name.replace("_", "-"): value for name, value in attributes.items()}


def severity_badge(severity: Severity) -> Any:
    shape, word, name = _SEVERITY[severity]
    return html.Span([html.Span(shape, **extra(aria_hidden="true")), f" {word}"], className=f"badge badge-{name}")


def state_badge(firing: bool) -> Any:
    return html.Span("Firing" if firing else "Resolved", className=f"badge badge-{'firing' if firing else 'resolved'}")


def when(moment: datetime, zone: ZoneInfo) -> Any:
    """A time in the page's zone; the exact instant shows on hover."""
    local = moment.astimezone(zone)
    return html.Time(
        local.strftime("%a %d %b %H:%M"), dateTime=moment.isoformat(), title=local.strftime("%Y-%m-%d %H:%M:%S %Z")
    )


def percent(share: float) -> str:
    """`80 %`, in whole ones."""
    return f"{share:.0%}".replace("%", " %")


def notice(*children: Any, tone: str = "quiet") -> Any:
    """A sentence that stands where nothing else can: `quiet`, `bad` or `good`."""
    return html.Div(list(children), className=f"notice notice-{tone}", role="status")


def facts(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """A list of names and what they are."""
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in pairs], className="facts")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str, numeric: Sequence[int] = ()) -> Any:
    """A table that scrolls sideways where it is too wide; on narrow screens each cell names its column."""
    body = [html.Tr([_cell(cell, head[index], index in numeric) for index, cell in enumerate(row)]) for row in rows]
    header = html.Tr([html.Th(name, scope="col", className="number" if i in numeric else None) for i, name in enumerate(head)])
    return html.Div(
        html.Table([html.Caption(caption, className="hidden"), html.Thead(header), html.Tbody(body)]), className="table-wrap"
    )


def tile_value(number: str, unit: str = "") -> Any:
    """A tile's number with its unit in smaller type."""
    return html.Div([number, html.Span(f" {unit}", className="tile-unit")], className="tile-value")


def tile(title: str, value: Any, foot: str) -> Any:
    """A number with its name above and a remark below it."""
    below = html.Div(html.Span(foot, className="muted"), className="tile-foot")
    return html.Div([html.Div(title, className="tile-title"), value, below], className="tile")


def legend(entries: Sequence[Entry]) -> list[Any]:
    """A chart's legend: buttons that hide a line or bring it back."""
    return [
        html.Button(
            [
                html.Span(
                    _MARKS.get(entry.name.partition(",")[0], "▼") if entry.kind == "marker" else "",
                    className=f"swatch swatch-{entry.kind} swatch-{entry.dash}",
                    style={"color": entry.color},
                    **extra(aria_hidden="true"),
                ),
                entry.name,
            ],
            className="legend-item off" if entry.hidden else "legend-item",
            title="Show" if entry.hidden else "Hide",
            **extra(data_key=entry.key, aria_pressed="false" if entry.hidden else "true"),
        )
        for entry in entries
    ]


def _cell(content: Any, column: str, numeric: bool) -> Any:
    names = [name for name, there in (("number", numeric), ("nothing", content == NOTHING)) if there]
    return html.Td(html.Div(content, className="cell"), className=" ".join(names) or None, **extra(data_label=column))
