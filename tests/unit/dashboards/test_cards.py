import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

from core.errors import StoreUnavailable
from dashboards.cards import Card, NotShownError, drawn
from dashboards.context import Web

EMPTY = Card(id="a", title="A", file="/a")


def test_one_card_that_fails_or_is_late_leaves_the_others_alone() -> None:
    gate = threading.Event()

    def late() -> Card:
        gate.wait(10)
        return EMPTY

    def refused() -> Card:
        raise NotShownError("Choose fewer.")

    def broken() -> Card:
        raise StoreUnavailable("store: gone")

    with ThreadPoolExecutor(4) as pool:
        web = cast(Web, SimpleNamespace(begin=pool.submit))
        cards: list[tuple[Card, Any]] = [(EMPTY, lambda: EMPTY), (EMPTY, refused), (EMPTY, broken), (EMPTY, late)]
        found = drawn(web, cards, budget_s=0.2)
        gate.set()
    assert [card.words.split()[0] if card.words else "" for card in found] == ["", "Choose", "The", "This"]
    assert all(card.file == "/a" for card in found)
