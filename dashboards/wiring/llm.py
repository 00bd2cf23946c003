"""The LLM page: its layout and its callback."""

from typing import Any

from dash import Input, Output, State
from dash.exceptions import PreventUpdate

from dashboards.context import Web
from dashboards.llm.drawing import TITLES
from dashboards.llm.page_data import LlmData, load_llm
from dashboards.llm.reading import PATH, read_llm_asked, read_models
from dashboards.look import read_look
from dashboards.pages import live_cards, llm
from dashboards.pages.controls import span_words
from dashboards.pages.explore import freshness_words
from dashboards.pages.words import notice
from dashboards.threads import Workers
from dashboards.wiring.asking import attempt, offered, on_page, only_ticked, read_query, seen

__all__ = ["PATH", "layout", "register"]


def layout(web: Web, query: dict[str, str]) -> Any:
    """The page before its data, with the values and the models that can be chosen."""
    models = attempt(lambda: read_models(web, read_llm_asked(query, web.now()))["name"].tolist())
    return llm.layout(query, offered(web), models if isinstance(models, list) else [])


def register(app: Any, web: Web, workers: Workers) -> None:
    """Draw the page whenever the address, the reader's look or the clock asks for it."""

    async def refresh(search: str | None, _ticks: int, look: Any, _there: Any, path: str) -> Any:
        query = read_query(search)
        on_page(path, PATH, look)
        if only_ticked() and "from" in query and "to" in query:
            raise PreventUpdate  # a window that stands still
        here = seen(web, look)
        found = await workers.run(attempt, lambda: load_llm(here, query, read_look(look)))
        if isinstance(found, str):
            return (*live_cards.unreadable(len(TITLES)), [], [], [], [notice(found, tone="bad")], [])
        return (*live_cards.values(found.cards), *_texts(found, here))

    app.callback(
        *live_cards.outputs(llm.PAGE),
        Output("llm-models", "children"),
        Output("llm-quotas", "children"),
        Output("llm-versions", "children"),
        Output("llm-notes", "children"),
        Output("llm-span", "children"),
        Input("url", "search"),
        Input("tick", "n_intervals"),
        Input("look", "data"),
        Input("llm-models", "id"),  # the page has been laid out
        State("url", "pathname"),
        optional=True,
    )(refresh)


def _texts(data: LlmData, web: Web) -> tuple[Any, ...]:
    words = span_words(data.asked.window, web.zone, web.now())
    return (
        llm.models_section(data),
        llm.quota_section(data.quotas),
        llm.versions_section(data),
        llm.notes(data),
        [*words, freshness_words(data.until, web.zone)],
    )
