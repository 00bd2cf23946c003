"""Everything that the explore page shows for one address."""

import logging
from collections.abc import Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from core.errors import TpscopeError
from dashboards import queries
from dashboards.cards import GRACE_S, LATE, Card, NotShownError, drawn
from dashboards.context import Web
from dashboards.explore.asked import Asked, read_asked
from dashboards.explore.drawing import cards, why_empty
from dashboards.explore.reading import read_table
from dashboards.look import Look

logger = logging.getLogger(__name__)


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
    beside = web.pool.submit(_table, web, asked)
    found = drawn(web, cards(web, asked, look))
    wait([beside], timeout=GRACE_S)
    table, words = beside.result() if beside.done() else (None, LATE)
    return ExploreData(
        asked=asked,
        cards=tuple(found),
        table=table,
        words=words,
        until=fresh.complete_until,
        generated=queries.has_generated(web, asked.window.start, asked.window.end),
    )


def _table(web: Web, asked: Asked) -> tuple[pd.DataFrame | None, str]:
    """What the lines have read already, so it comes from the cache."""
    try:
        table = read_table(web, asked)
    except NotShownError as error:
        return None, str(error)
    except TpscopeError as error:
        logger.warning("table could not be read", extra={"error": str(error)})
        return None, "The store did not answer. This page tries again by itself."
    return (None, why_empty(web, asked)) if table.empty or table["calls"].sum() == 0 else (table, "")
