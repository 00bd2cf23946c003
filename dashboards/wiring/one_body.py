"""Pages whose answer is one body and the words of their span."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from dash import Input, Output, State

from dashboards.context import Web
from dashboards.look import Look, read_look
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, on_page, read_query, seen

Data = TypeVar("Data")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBody(Generic[Data]):
    """What such a page reads and what it makes of it; its components are called `<path>-body` and `<path>-span`."""

    path: str
    load: Callable[[Web, Mapping[str, str], Look], Data]
    body: Callable[[Data, ZoneInfo], list[Any]]
    summary: Callable[[Data, ZoneInfo, datetime], list[Any]]
    clock: Input

    def register(self, app: Any, web: Web, workers: Workers) -> None:
        """Draw the page whenever the address, the reader's look or its clock asks for it."""

        async def refresh(search: str | None, look: Any, _ticks: Any, _there: Any, path: str) -> Any:
            on_page(path, self.path, look)
            here = seen(web, look)
            found = await workers.run(attempt, lambda: self.load(here, read_query(search), read_look(look)))
            if isinstance(found, str):
                return notice(found, tone="bad"), []
            return self.body(found, here.zone), self.summary(found, here.zone, here.now())

        name = self.path.removeprefix("/")
        app.callback(
            Output(f"{name}-body", "children"),
            Output(f"{name}-span", "children"),
            Input("url", "search"),
            Input("look", "data"),
            self.clock,
            Input(f"{name}-body", "id"),
            State("url", "pathname"),
            optional=True,
        )(refresh)
