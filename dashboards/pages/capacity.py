"""The part of the forecast page that speaks of limits and ceilings: the HTML of what `dashboards.capacity` has read."""

from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.capacity import LimitOutlook
from dashboards.capacity import CapacityData
from dashboards.pages.cards import drawn
from dashboards.pages.shell import with_query
from dashboards.pages.words import legend, notice, table, when
from render.units import format_number


def section(data: CapacityData, zone: ZoneInfo) -> list[Any]:
    """Limits as a table with a sentence each, then the measured ceiling."""
    found: list[Any] = [html.H2("Limits and ceiling")]
    if data.limits:
        found.append(_limits(data.limits, zone))
        found += [html.P([html.B(f"{one.name}: "), one.words]) for one in data.limits]
    else:
        more = f" {data.others} limits concern other selections." if data.others else ""
        found.append(notice(f"No limit is known for this selection; name it under limits in the configuration.{more}"))
    found.append(notice(data.words) if data.words else html.P(data.ceiling))
    if data.figure is not None:
        found.append(drawn("forecast", "ceiling", "Throughput against concurrency (calls/s)", data.figure, legend(data.legend)))
    found += [html.P([html.B(f"{name}: "), text]) for name, text in data.transactions]
    if data.scaling:
        found.append(html.P(data.scaling))
    found.append(
        html.P(dcc.Link("What would a change bring? Replay these calls through it", href=with_query("/what-if", data.whose)))
    )
    if data.cost:
        found += [html.H2("Cost of serving the forecast"), html.P(data.cost)]
    if data.unpriced:
        found.append(notice(data.unpriced, tone="bad"))
    return found


def _limits(limits: tuple[LimitOutlook, ...], zone: ZoneInfo) -> Any:
    head = ("limit", "at most", "now", "headroom", "reached within the forecast", "1 in 10", "as likely as not")
    rows = [
        (
            one.name,
            f"{format_number(one.limit.value)} {one.unit}",
            _number(one.now),
            _share(one.headroom),
            _share(one.probability),
            "–" if one.early_at is None else when(one.early_at, zone),
            "–" if one.likely_at is None else when(one.likely_at, zone),
        )
        for one in limits
    ]
    return table(head, rows, caption="Limits of this selection", numeric=(1, 2, 3, 4))


def _number(value: float) -> str:
    return "unknown" if value != value else format_number(value)


def _share(value: float) -> str:
    return "unknown" if value != value else f"{value:.0%}"
