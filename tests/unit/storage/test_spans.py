from datetime import timedelta

import pytest

from core.series import Selector
from storage.calls import insert_calls
from storage.causes import read_parts
from storage.contract import Store
from storage.spans import read_spans
from tests.unit.storage.batches import START, batch

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def filled(store: Store) -> Store:
    """Ten minutes of one call a second; in the last of them every call of the provider openai fails."""
    rows = [
        {
            "ts": START + second * SECOND,
            "provider": "openai" if second % 2 else "mistral",
            "service": "chat",
            "route": f"/r{second % 3}",
            "status": 503 if second >= 540 and second % 2 else 200,
            "latency_ms": 100.0,
        }
        for second in range(600)
    ]
    insert_calls(store, batch(rows))
    return store


def test_spans_may_overlap_and_be_of_any_length(filled: Store) -> None:
    end = START + 10 * MINUTE
    spans = [(end - length, end) for length in (MINUTE, 5 * MINUTE, 10 * MINUTE)]
    found = read_spans(filled, "error_rate", spans)
    assert found["span"].tolist() == [0, 1, 2]
    assert found["calls"].tolist() == [60, 300, 600]
    assert found["value"].tolist() == pytest.approx([0.5, 0.1, 0.05])
    split = read_spans(filled, "error_rate", spans[:1], by=("provider",))
    assert dict(zip(split["provider"], split["value"], strict=True)) == {"mistral": 0.0, "openai": 1.0}
    assert read_spans(filled, "tps", spans[:1], Selector.of(provider="openai"))["value"].tolist() == pytest.approx([0.5])


@pytest.mark.parametrize("by", [("route",), ("provider", "route")])  # the rollup by seconds has one, the calls have both
def test_spans_of_seconds(filled: Store, by: tuple[str, ...]) -> None:
    end = START + 9 * MINUTE + 30 * SECOND
    found = read_spans(filled, "error_rate", [(end - MINUTE, end)], by=by, unit_s=1)
    assert found["calls"].sum() == 60
    assert (found["value"] * found["calls"]).sum() == pytest.approx(15)


def test_a_span_without_calls_has_no_row(filled: Store) -> None:
    assert read_spans(filled, "tps", [(START - MINUTE, START)]).empty
    with pytest.raises(ValueError, match="no dimension"):
        read_spans(filled, "tps", [(START, START + MINUTE)], by=("colour",))


def test_the_parts_of_a_dimension_before_and_after(filled: Store) -> None:
    start = START + 9 * MINUTE
    found = read_parts(filled, "provider", start, start + MINUTE, MINUTE, Selector())
    errors = {(row.value, row.after): row.errors for row in found.itertuples()}
    assert errors == {("openai", True): 30, ("openai", False): 0, ("mistral", True): 0, ("mistral", False): 0}
    assert found["calls"].tolist() == [30.0] * 4
