"""What a page shows as a card: a chart with its title, its unit and its file, or in words why there is none."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import TypeVar

import pandas as pd
import plotly.graph_objects as go

from core.errors import QuestionAbandoned, TpscopeError
from dashboards.context import Web
from dashboards.look import Entry
from storage.asking import unfinished

logger = logging.getLogger(__name__)

T = TypeVar("T")

GRACE_S = 0.5
"""How long is waited for what stands beside the cards, once they are there."""

BUDGET_S = 8.0
"""How long a page waits for its slowest card; what is late is shown by the next refresh, which finds it in the cache."""

LATE = "This takes longer than the rest of the page; it appears with one of the next refreshes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One chart.

    Attributes
    ----------
    subtitle : str
        Unit and step.
    words : str
        Why there is no figure; empty where there is one.
    file : str
        Where what is drawn is had as CSV.
    """

    id: str
    title: str
    subtitle: str = ""
    figure: go.Figure | None = None
    legend: tuple[Entry, ...] = ()
    words: str = ""
    file: str = ""


class NotShownError(Exception):
    """A card that cannot be drawn for what is asked; its text is for the reader."""


Draw = Callable[[], Card]


def drawn(web: Web, cards: Sequence[tuple[Card, Draw]], budget_s: float = BUDGET_S) -> list[Card]:
    """The cards, read several at once within one budget of time: each as it stands, or with a sentence instead of a figure."""
    running: list[Future[Card]] = [web.begin(lambda card: _attempt(*card), card) for card in cards]
    wait(running, timeout=budget_s)
    if not all(future.done() for future in running):
        unfinished()
    return [
        future.result() if future.done() else replace(empty, words=LATE)
        for (empty, _), future in zip(cards, running, strict=True)
    ]


def beside(
    web: Web, what: str, read: Callable[[], pd.DataFrame], empty: Callable[[pd.DataFrame], str]
) -> "Future[tuple[pd.DataFrame | None, str]]":
    """Begin to read a table that stands beside the cards; `empty` says why it has nothing to show, if it has nothing."""

    def both() -> tuple[pd.DataFrame | None, str]:
        table = read()
        words = empty(table)
        return (None, words) if words else (table, "")

    def work(what: str) -> tuple[pd.DataFrame | None, str]:
        found = _told(what, both)
        return (None, found) if isinstance(found, str) else found

    return web.begin(work, what)


def taken(reading: "Future[tuple[pd.DataFrame | None, str]]") -> tuple[pd.DataFrame | None, str]:
    """The table, or None and why there is none; it is waited for a moment."""
    wait([reading], timeout=GRACE_S)
    if not reading.done():
        unfinished()
        return None, LATE
    return reading.result()


def _attempt(empty: Card, draw: Draw) -> Card:
    found = _told(empty.id, draw)
    return replace(empty, words=found) if isinstance(found, str) else found


def _told(what: str, work: Callable[[], T]) -> T | str:
    """What came of it, or what the reader is told instead: one part that fails leaves the others alone."""
    try:
        return work()
    except NotShownError as error:
        return str(error)
    except QuestionAbandoned as error:
        unfinished()
        return error.sentence
    except TpscopeError as error:
        unfinished()
        logger.warning("part of a page could not be read", extra={"part": what, "error": str(error)})
        return "The store did not answer. This page tries again by itself."
    except Exception:
        unfinished()
        logger.exception("part of a page failed", extra={"part": what})
        return "Something went wrong here; the service's log says what."
