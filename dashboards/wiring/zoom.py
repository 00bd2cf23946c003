"""A span that is dragged open on a chart becomes the window of the page's address, and so of all its charts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from dash import Input, Output, State
from dash.exceptions import PreventUpdate

from dashboards.context import Web
from dashboards.window import iso
from dashboards.wiring.asking import read_query, seen

SHORTEST_ZOOM = timedelta(minutes=5)


def register(app: Any, web: Web) -> None:
    """Follow the charts that are dragged."""

    async def zoom(change: Any, search: str | None, look: Any) -> Any:
        span = zoomed(change, seen(web, look).zone)
        if span is None:
            raise PreventUpdate
        kept = {name: value for name, value in read_query(search).items() if name not in ("last", "from", "to")}
        return "?" + urlencode({"from": iso(span[0]), "to": iso(span[1]), **kept})

    app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("zoom", "data"),
        State("url", "search"),
        State("look", "data"),
        prevent_initial_call=True,
    )(zoom)


def zoomed(change: Any, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The span that was dragged open on a chart, at least five minutes; None for any other change of a chart."""
    if not isinstance(change, dict):
        return None
    ends = [change.get(f"xaxis.range[{index}]") for index in (0, 1)]
    try:
        left, right = (datetime.fromisoformat(str(end)[:19]).replace(tzinfo=zone).astimezone(UTC) for end in ends)
    except ValueError:
        return None
    if right - left < SHORTEST_ZOOM:
        middle = left + (right - left) / 2
        left, right = middle - SHORTEST_ZOOM / 2, middle + SHORTEST_ZOOM / 2
    return left, right
