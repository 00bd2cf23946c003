"""Everything that the LLM page shows for one address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from core.capacity import LimitOutlook
from dashboards import queries
from dashboards.cards import Card, beside, drawn, taken
from dashboards.context import Web
from dashboards.llm.drawing import cards
from dashboards.llm.reading import LlmAsked, chosen_models, quotas, read_llm_asked, read_models
from dashboards.look import Look

_NONE = "No LLM call of this selection in this window."


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmData:
    """The page.

    Attributes
    ----------
    models : DataFrame or None
        As `reading.read_models` returns it; None where `words` say why there is none.
    chosen : tuple of str
        Names of the two models that are compared; empty where there is none.
    """

    asked: LlmAsked
    cards: tuple[Card, ...]
    models: pd.DataFrame | None
    chosen: tuple[str, str]
    words: str
    quotas: tuple[LimitOutlook, ...]
    until: datetime | None
    generated: bool


def load_llm(web: Web, query: Mapping[str, str], look: Look) -> LlmData:
    """Read and draw the page. Raises BadWindow for a bad address, and what the store raises when nothing can be read."""
    asked = read_llm_asked(query, web.now())
    fresh = queries.freshness(web)
    reading = beside(web, "models", lambda: read_models(web, asked), lambda models: _NONE if models.empty else "")
    found = drawn(web, cards(web, asked, look))
    models, words = taken(reading)
    return LlmData(
        asked=asked,
        cards=tuple(found),
        models=models,
        chosen=("", "") if models is None else chosen_models(asked, models),
        words=words,
        quotas=tuple(quotas(web, asked)),
        until=fresh.complete_until,
        generated=queries.has_generated(web, asked.window.start, asked.window.end),
    )
