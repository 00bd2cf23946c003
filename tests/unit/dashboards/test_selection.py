from core.series import ALL_CALLS, Selector
from dashboards.selection import LONGEST, overlaps, read_selector

OPENAI = Selector.of(provider="openai")


def test_only_dimensions_select_and_empty_values_do_not() -> None:
    query = {"provider": "openai", "service": "", "last": "6h", "drop table": "x"}
    assert read_selector(query) == OPENAI


def test_a_value_is_taken_as_it_is_but_not_endlessly() -> None:
    assert read_selector({"route": "'; DROP TABLE calls --"}).labels == {"route": "'; DROP TABLE calls --"}
    assert len(read_selector({"route": "x" * 10_000}).labels["route"]) == LONGEST


def test_selections_overlap_unless_they_ask_for_different_values() -> None:
    assert overlaps(ALL_CALLS, OPENAI)
    assert overlaps(OPENAI, Selector.of(service="chat"))
    assert not overlaps(OPENAI, Selector.of(provider="mistral"))
