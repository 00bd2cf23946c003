from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.capacity import Estimate, LimitOutlook
from core.prices import PriceTable, TokenPrice
from core.series import Selector
from dashboards.llm import figures
from dashboards.llm.drawing import calls_by_model
from dashboards.llm.reading import chosen_models, read_llm_asked
from dashboards.pages.llm import difference, quota_section
from tests.unit.dashboards.builders import NAN, NOON

OUTLOOK = LimitOutlook(
    name="tokens of the key", kind="tokens_per_min", selector=Selector.of(provider="openai"), unit="tokens/min", made_at=NOON,
    limit=Estimate(value=1000.0, lower=NAN, upper=NAN), now=750.0, until=None, probability=NAN, early_at=None, likely_at=None,
    late_at=None, headroom=0.1, minutes=Estimate(value=42.0, lower=NAN, upper=NAN), words="",
)  # fmt: skip


def rows(**columns: Any) -> pd.DataFrame:
    """Two models: openai/a with 1,000 calls at 2 USD and a fifth of hits, and one of which nothing is known."""
    known: dict[str, Any] = {name: [0.0, 0.0] for name in figures.COLUMNS}
    known |= {"provider": ["openai", "own"], "model": ["a", "b"], "calls": [1000.0, 10.0], "cost_usd": [2.0, 0.0]}
    known |= {"unpriced": [0.0, 10.0], "prompt_tokens": [300_000.0, 0.0], "completion_tokens": [100_000.0, 0.0]}
    known |= {"cached_tokens": [200_000.0, 0.0], "cache_hits": [200.0, 0.0], "cache_known": [1000.0, 0.0]}
    return pd.DataFrame({**known, **columns})


def test_costs_are_those_of_the_calls_whose_cost_is_known() -> None:
    np.testing.assert_allclose(figures.cost_per_1000_calls(rows()), [2.0, np.nan])
    np.testing.assert_allclose(figures.cost_per_million_tokens(rows()), [5.0, np.nan])
    half = rows(unpriced=[500.0, 10.0])
    np.testing.assert_allclose(figures.cost_per_1000_calls(half), [4.0, np.nan])
    np.testing.assert_allclose(figures.cost_per_million_tokens(half), [10.0, np.nan])


def test_caches_save_what_the_calls_would_have_cost() -> None:
    np.testing.assert_allclose(figures.saved_by_hits(rows()), [0.4, np.nan])
    table = PriceTable((TokenPrice(provider="openai", model="*", input=2.5, output=10.0, cached=1.25),))
    np.testing.assert_allclose(figures.saved_by_prompt_cache(rows(), table, NOON), [0.25, np.nan])
    without = PriceTable((replace(table.prices[0], cached=None),))
    assert np.isnan(figures.saved_by_prompt_cache(rows(), without, NOON)).all()


def test_columns_add_up_by_time() -> None:
    both = figures.summed(rows(ts=[NOON, NOON]), ["ts"])
    assert both["calls"].tolist() == [1010.0]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({}, ("openai/a", "openai/c")),
        ({"one": "own/b"}, ("own/b", "openai/a")),
        ({"other": "openai/a"}, ("openai/c", "openai/a")),
        ({"one": "gone/x", "other": "own/b"}, ("gone/x", "own/b")),
    ],
)
def test_two_models_of_one_provider_are_compared_unless_others_are_asked_for(
    query: dict[str, str], chosen: tuple[str, str]
) -> None:
    models = pd.DataFrame({"name": ["own/b", "openai/a", "openai/c"], "provider": ["own", "openai", "openai"]})
    assert chosen_models(read_llm_asked(query, NOON), models) == chosen
    assert chosen_models(read_llm_asked({}, NOON), models.iloc[:1]) == ("own/b", "")


def test_what_is_left_of_a_quota_is_told() -> None:
    text = str(quota_section([OUTLOOK, replace(OUTLOOK, now=NAN, minutes=None)]))
    for words in ("tokens of the key", "1,000 tokens/min", "25 %", "10 %", "42 min", "unknown"):
        assert words in text
    assert "No quota" in str(quota_section([]))


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [(2.0, 1.0, "-50 %"), (1.0, 2.0, "+100 %"), (0.18, 5.05, "28.1 times"), (0.0, 1.0, "–"), (NAN, 1.0, "–")],
)
def test_how_two_versions_differ(one: float, other: float, text: str) -> None:
    assert difference(one, other) == text


def test_a_window_without_a_call_has_no_line() -> None:
    steps = rows(ts=[NOON, NOON]).iloc[:0]
    assert calls_by_model(steps, pd.DatetimeIndex([NOON]), 60) == []
