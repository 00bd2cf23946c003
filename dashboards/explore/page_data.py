"""Everything that the explore page shows for one address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from dashboards import queries
from dashboards.cards import Card, beside, drawn, taken
from dashboards.context import Web
from dashboards.explore.asked import Asked, read_asked
from dashboards.explore.drawing import cards, why_empty
from dashboards.explore.reading import read_table
from dashboards.look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreData:
    """The page.

    Attributes
    ----------
    table : DataFrame or None
        As `reading.read_table` returns it; None where `words` say why there is none.
    until : datetime or None
        Everything before it is known whole.
    """

    asked: Asked
    cards: tuple[Card, ...]
    table: pd.DataFrame | None
    words: str
    until: datetime | None
    generated: bool


def load_explore(web: Web, query: Mapping[str, str], look: Look) -> ExploreData:
    """Read and draw the page. Raises BadWindow for a bad address, and what the store raises when nothing can be read."""
    asked = read_asked(query, web.now())
    fresh = queries.freshness(web)
    # The lines read the same, so that one of them finds it in the cache.
    reading = beside(web, "table", lambda: read_table(web, asked), lambda table: _why_nothing(web, asked, table))
    found = drawn(web, cards(web, asked, look))
    table, words = taken(reading)
    return ExploreData(
        asked=asked,
        cards=tuple(found),
        table=table,
        words=words,
        until=fresh.complete_until,
        generated=queries.has_generated(web, asked.window.start, asked.window.end),
    )


def _why_nothing(web: Web, asked: Asked, table: pd.DataFrame) -> str:
    return why_empty(web, asked) if table.empty or table["calls"].sum() == 0 else ""
