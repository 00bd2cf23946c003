"""A version is made of what decides the counts, and nothing else."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import TransactionSettings
from core.errors import VersionsDiffer
from core.transactions import DEFAULT_STATUSES, Transaction, check_comparable, status_ranges


def definition(**parts: Any) -> Transaction:
    return TransactionSettings.model_validate({"name": "pay", **parts}).definition


FULL = {
    "selector": {"service": "shop", "route": ["/pay/*", "/pay"]},
    "success": {"statuses": ["2xx", 404], "error_types": ["cancelled"], "max_latency": "2s"},
    "thresholds": ["1s", "250ms"],
}


def test_the_version_does_not_change_from_release_to_release() -> None:
    assert definition(**FULL).version == "fc6a328c8b80"
    assert definition().version == "44136fa355b3"


@pytest.mark.parametrize(
    ("part", "value", "same"),
    [
        ("weight", 7, True),
        ("description", "what is paid", True),
        ("selector", {"route": ["/pay", "/pay/*", "/pay"], "service": ["shop"]}, True),
        ("thresholds", ["250ms", "1000ms", "1s"], True),
        ("selector", {"service": "shop"}, False),
        ("thresholds", ["1s"], False),
        ("success", {"statuses": ["2xx", 404], "error_types": ["cancelled"]}, False),
    ],
)
def test_only_what_decides_the_counts_makes_another_version(part: str, value: Any, same: bool) -> None:
    changed = definition(**{**FULL, part: value})
    assert (changed.version == definition(**FULL).version) is same
    if same:
        check_comparable(changed, definition(**FULL))
    else:
        with pytest.raises(VersionsDiffer, match="the definition has another"):
            check_comparable(changed, definition(**FULL))


def test_a_definition_survives_the_way_through_json() -> None:
    for one in (definition(), definition(**FULL, weight=3, description="x")):
        assert Transaction.from_json(one.to_json()) == one


@given(st.lists(st.tuples(st.integers(100, 999), st.integers(0, 60)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_ranges_hold_exactly_the_statuses_that_were_written(parts: list[tuple[int, int]]) -> None:
    texts = [f"{first}-{min(first + more, 999)}" for first, more in parts]
    wanted = {status for first, more in parts for status in range(first, min(first + more, 999) + 1)}
    ranges = status_ranges(texts)
    assert {status for first, last in ranges for status in range(first, last + 1)} == wanted
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_the_default_leaves_out_errors_and_rate_limiting() -> None:
    assert definition().statuses == status_ranges(DEFAULT_STATUSES) == ((100, 428), (430, 499))
