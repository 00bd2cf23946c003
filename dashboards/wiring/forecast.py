"""The forecast page: its layout and its callback."""

from typing import Any

from dash import ALL, Input, Output, State, no_update

from dashboards.capacity import CapacityData, load_capacity
from dashboards.context import Web
from dashboards.forecast import EVERYTHING, ForecastData, load_forecast
from dashboards.look import read_look
from dashboards.pages import capacity as capacity_page
from dashboards.pages import forecast
from dashboards.pages.words import legend, notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

PATH = "/forecast"


def layout(_web: Web, _query: dict[str, str]) -> Any:
    """The page before its data."""
    return forecast.layout()


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw forecast and limits whenever the address, the reader's look or the clock asks for it."""

    async def refresh(search: str | None, look: Any, _ticks: Any, _there: Any, path: str) -> Any:
        on_page(path, PATH, look)
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_forecast(here, read_query(search), read_look(look)))
        if isinstance(found, str):
            return ([no_update] * 2, [no_update] * 2, notice(found, tone="bad"), "gone", *[no_update] * 8)
        selector = found.selector
        capacity = await workers.run(attempt, lambda: load_capacity(here, selector, read_look(look)))
        return (*_outputs(found, here), _capacity(capacity, here))

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


def _outputs(data: ForecastData, web: Web) -> tuple[Any, ...]:
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
