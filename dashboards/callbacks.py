"""Connects what people do on the pages with what is read for them; thin: reading and drawing happen elsewhere, on threads."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from dash import ALL, ClientsideFunction, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from core.errors import TpscopeError
from dashboards import queries
from dashboards.capacity import CapacityData, load_capacity
from dashboards.catalogue import CHARTS
from dashboards.context import Web
from dashboards.forecast import EVERYTHING, ForecastData, load_forecast
from dashboards.incidents import load_incidents
from dashboards.look import read_look
from dashboards.overview import OverviewData, load_overview
from dashboards.pages import capacity as capacity_page
from dashboards.pages import forecast, incidents, overview, shell
from dashboards.pages.status import status_foot, status_line
from dashboards.pages.words import legend, notice
from dashboards.status import load_status
from dashboards.threads import Workers
from dashboards.window import BadWindow, iso

logger = logging.getLogger(__name__)

T = TypeVar("T")

SHORTEST_ZOOM = timedelta(minutes=5)


def register(app: Any, web: Web, workers: Workers) -> None:
    """Give the Dash app its callbacks."""
    _clientside(app)
    _frame(app, web, workers)
    _overview(app, web, workers)
    _forecast(app, web, workers)
    _incidents(app, web, workers)


def _clientside(app: Any) -> None:
    app.clientside_callback(
        ClientsideFunction("tpscope", "theme"),
        Output("look", "data"),
        Output("theme-button", "children"),
        Input("theme-button", "n_clicks"),
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "nav"),
        Output({"type": "nav", "path": ALL}, "className"),
        Input("url", "pathname"),
        State({"type": "nav", "path": ALL}, "id"),
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "controls"),
        Output("url", "search", allow_duplicate=True),
        Output({"type": "filter", "dim": ALL}, "value"),
        Output({"type": "window", "last": ALL}, "href"),
        Output({"type": "window", "last": ALL}, "className"),
        Input("url", "search"),
        Input({"type": "filter", "dim": ALL}, "value"),
        State({"type": "filter", "dim": ALL}, "id"),
        State({"type": "window", "last": ALL}, "id"),
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "dragged"),
        Output("zoom", "data"),
        Input({"type": "graph", "chart": ALL}, "relayoutData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "choose"),
        Input({"type": "choice", "part": ALL}, "value"),
        State({"type": "choice", "part": ALL}, "id"),
        State("url", "search"),
        prevent_initial_call=True,
    )


def _frame(app: Any, web: Web, workers: Workers) -> None:
    async def page(path: str | None, search: str | None) -> Any:
        match (path or "/").rstrip("/") or "/":
            case "/":
                values = await workers.run(_attempt, lambda: queries.choices(web, queries.freshness(web).complete_until))
                return overview.layout(read_query(search), values if isinstance(values, dict) else {})
            case "/forecast":
                return forecast.layout()
            case "/incidents":
                return incidents.layout()
            case _:
                return shell.missing(path or "")

    app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))(page)

    async def status(_ticks: int | None) -> Any:
        found = await workers.run(_attempt, lambda: load_status(web))
        if isinstance(found, str):
            return html.Span("The store does not answer", className="verdict verdict-bad"), no_update
        return status_line(found, web.zone), status_foot(found, web.zone)

    app.callback(Output("status", "children"), Output("foot", "children"), Input("tick", "n_intervals"))(status)


def _overview(app: Any, web: Web, workers: Workers) -> None:
    count = len(CHARTS)

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        query = read_query(search)
        _on_page(path, "/", look)
        if _only_ticked() and "from" in query and "to" in query:
            raise PreventUpdate  # a window that stands still
        found = await workers.run(_attempt, lambda: load_overview(web, query, read_look(look)))
        if isinstance(found, str):
            words = ["Nothing to show; see the message above."] * count
            return [no_update] * count, [no_update] * count, [no_update] * count, words, [], [notice(found, tone="bad")], [], []
        return _overview_outputs(found, query, web)

    app.callback(
        Output({"type": "graph", "chart": ALL}, "figure"),
        Output({"type": "subtitle", "chart": ALL}, "children"),
        Output({"type": "legend", "chart": ALL}, "children"),
        Output({"type": "veil", "chart": ALL}, "children"),
        Output("tiles", "children"),
        Output("overview-notes", "children"),
        Output("overview-anomalies", "children"),
        Output("overview-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("tiles", "id"),  # the page has been laid out
        State("url", "pathname"),
        optional=True,
    )(refresh)

    async def zoom(change: Any, search: str | None) -> Any:
        span = zoomed(change, web.zone)
        if span is None:
            raise PreventUpdate
        kept = {name: value for name, value in read_query(search).items() if name not in ("last", "from", "to")}
        return "?" + urlencode({"from": iso(span[0]), "to": iso(span[1]), **kept})

    app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("zoom", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )(zoom)


def _overview_outputs(data: OverviewData, query: dict[str, str], web: Web) -> Any:
    return (
        [card.figure if card.figure is not None else no_update for card in data.cards],
        [card.subtitle for card in data.cards],
        [legend(card.legend) for card in data.cards],
        [card.words for card in data.cards],
        overview.tiles(data, web.zone),
        overview.notes(data, query, web.zone),
        overview.anomaly_list(data, web.zone),
        overview.span_words(data.window, web.zone, web.now()),
    )


def _forecast(app: Any, web: Web, workers: Workers) -> None:
    async def refresh(search: str | None, look: Any, _ticks: Any, _there: Any, path: str) -> Any:
        _on_page(path, "/forecast", look)
        found = await workers.run(_attempt, lambda: load_forecast(web, read_query(search), read_look(look)))
        if isinstance(found, str):
            return ([no_update] * 2, [no_update] * 2, notice(found, tone="bad"), "gone", *[no_update] * 8)
        selector = found.selector
        capacity = await workers.run(_attempt, lambda: load_capacity(web, selector, read_look(look)))
        return (*_forecast_outputs(found, web), _capacity(capacity, web))

    app.callback(
        Output({"type": "choice", "part": ALL}, "options"),
        Output({"type": "choice", "part": ALL}, "value"),
        Output("forecast-words", "children"),
        Output("forecast-body", "className"),
        Output("forecast-tiles", "children"),
        Output("forecast-title", "children"),
        Output("forecast-exports", "children"),
        Output("forecast-legend", "children"),
        Output("forecast-graph", "figure"),
        Output("forecast-facts", "children"),
        Output("forecast-span", "children"),
        Output("forecast-capacity", "children"),
        Input("url", "search"),
        Input("look", "data"),
        Input({"type": "slow-tick", "page": ALL}, "n_intervals"),
        Input("forecast-body", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)


def _capacity(data: CapacityData | str, web: Web) -> list[Any]:
    return [notice(data, tone="bad")] if isinstance(data, str) else capacity_page.section(data, web.zone)


def _forecast_outputs(data: ForecastData, web: Web) -> tuple[Any, ...]:
    there = data.figure is not None
    return (
        [forecast.metric_options(data), forecast.selector_options(data)],
        [data.metric or None, (str(data.selector) or EVERYTHING) if data.metric else None],
        forecast.words(data),
        "" if there else "gone",
        forecast.tiles(data),
        forecast.title(data) if there else "",
        forecast.exports(data) if there else "",
        legend(data.legend),
        data.figure if there else no_update,
        forecast.about(data, web.zone),
        forecast.span_words(data, web.zone, web.now()),
    )


def _incidents(app: Any, web: Web, workers: Workers) -> None:
    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        _on_page(path, "/incidents", look)
        found = await workers.run(_attempt, lambda: load_incidents(web, read_query(search), read_look(look)))
        if isinstance(found, str):
            return notice(found, tone="bad"), [], []
        return incidents.listing(found, web.zone), incidents.detail(found, web.zone), incidents.summary(found, web.zone)

    app.callback(
        Output("incidents-list", "children"),
        Output("incident-detail", "children"),
        Output("incidents-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("incidents-list", "id"),
        State("url", "pathname"),
        optional=True,
    )(refresh)


def read_query(search: str | None) -> dict[str, str]:
    """The parameters of an address; of one that stands twice, the last."""
    return dict(parse_qsl((search or "").removeprefix("?")[:4000]))


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


def _attempt(work: Callable[[], T]) -> T | str:
    """The answer, or a sentence for the reader that says why there is none."""
    try:
        return work()
    except BadWindow as error:
        return f"The address of this page cannot be used: {error}."
    except TpscopeError as error:
        logger.warning("page could not be read", extra={"error": str(error)})
        return "The store does not answer. This page tries again by itself."
    except Exception:
        logger.exception("page failed")
        return "Something went wrong here; the service's log says what."


def _on_page(path: str | None, wanted: str, look: Any) -> None:
    """Stop where the callback is not for this page, or the browser has not said yet how it looks."""
    if ((path or "/").rstrip("/") or "/") != wanted or not (isinstance(look, dict) and look.get("ready")):
        raise PreventUpdate


def _only_ticked() -> bool:
    return bool(ctx.triggered) and all(entry["prop_id"] == "tick.n_intervals" for entry in ctx.triggered)
