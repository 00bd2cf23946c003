"""What a page shows as a card: a chart with its title, its unit and its file, or in words why there is none."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from core.errors import TpscopeError
from dashboards.context import Web
from dashboards.look import Entry

logger = logging.getLogger(__name__)

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
    running: list[Future[Card]] = [web.pool.submit(_attempt, empty, draw) for empty, draw in cards]
    wait(running, timeout=budget_s)
    return [
        future.result() if future.done() else replace(empty, words=LATE)
        for (empty, _), future in zip(cards, running, strict=True)
    ]


def _attempt(empty: Card, draw: Draw) -> Card:
    try:
        return draw()
    except NotShownError as error:
        return replace(empty, words=str(error))
    except TpscopeError as error:
        logger.warning("card could not be read", extra={"card": empty.id, "error": str(error)})
        return replace(empty, words="The store did not answer. This page tries again by itself.")
    except Exception:  # one chart that fails leaves the others alone
        logger.exception("card failed", extra={"card": empty.id})
        return replace(empty, words="Something went wrong here; the service's log says what.")
