import pytest

from core.series import ALL_CALLS, Selector
from dashboards.forecast import quality_words, read_choice


@pytest.mark.parametrize(
    ("mase", "words"),
    [
        (0.72, "28 % better than repeating last week"),
        (1.12, "12 % worse than repeating last week"),
        (1.002, "as good as repeating last week"),
        (float("nan"), "not back-tested yet: too little history"),
    ],
)
def test_the_error_is_said_in_words(mase: float, words: str) -> None:
    assert quality_words(mase) == words


def test_an_address_names_a_selection() -> None:
    assert read_choice(None) == read_choice("") == read_choice("all") == ALL_CALLS
    assert read_choice('service="chat"') == Selector.of(service="chat")
    with pytest.raises(ValueError, match="is no selector"):
        read_choice("chat")
