"""The selection that changed is named first, be it one value or a pair, whatever the metric; and noise names nothing."""

import numpy as np
import pandas as pd
import pytest

from analytics.causes import rank_causes
from core.series import ALL_CALLS, Direction, Selector
from tests.unit.analytics.calls import Change, leaves_of, where

HIGH, LOW = Direction.HIGH, Direction.LOW


def failing(share: float, **labels: str) -> Change:
    def change(calls: pd.DataFrame) -> pd.DataFrame:
        hit = where(calls, **labels) & (np.random.default_rng(5).random(len(calls)) < share)
        return calls.assign(failed=calls["failed"] | hit)

    return change


def times(column: str, factor: float, **labels: str) -> Change:
    return lambda calls: calls.assign(**{column: calls[column] * np.where(where(calls, **labels), factor, 1.0)})


def without(column: str, **labels: str) -> Change:
    return lambda calls: calls.assign(**{column: calls[column] & ~where(calls, **labels)})


def more(copies: int, **labels: str) -> Change:
    return lambda calls: pd.concat([calls, *[calls[where(calls, **labels)]] * copies], ignore_index=True)


def gone(**labels: str) -> Change:
    return lambda calls: calls[~where(calls, **labels)]


@pytest.mark.parametrize(
    ("metric", "direction", "change", "labels"),
    [
        ("error_rate", HIGH, failing(0.6, provider="provider-1"), {"provider": "provider-1"}),
        ("error_rate", HIGH, failing(0.3, gateway="gw-2"), {"gateway": "gw-2"}),
        (
            "error_rate",
            HIGH,
            failing(0.9, provider="provider-0", route="/route-3"),
            {"provider": "provider-0", "route": "/route-3"},
        ),
        ("latency_p95", HIGH, times("latency", 2.0, model="model-3"), {"model": "model-3"}),
        ("latency_p50", HIGH, times("latency", 1.8, service="service-0"), {"service": "service-0"}),
        ("tokens_per_s", HIGH, times("tokens", 4.0, tenant="tenant-7"), {"tenant": "tenant-7"}),
        ("cache_hit_rate", LOW, without("cached", service="service-2"), {"service": "service-2"}),
        ("tps", HIGH, more(6, tenant="tenant-3"), {"tenant": "tenant-3"}),
        ("tps", LOW, gone(route="/route-5"), {"route": "/route-5"}),
    ],
)
def test_what_changed_is_named_first(metric: str, direction: Direction, change: Change, labels: dict[str, str]) -> None:
    causes = rank_causes(leaves_of(change), metric, direction)
    assert causes[0].selector == Selector.of(labels)
    assert causes[0].share > 0.6
    assert (causes[0].observed > causes[0].expected) == (direction is HIGH)
    assert [cause.surprise for cause in causes] == sorted((cause.surprise for cause in causes), reverse=True)


def test_what_happens_everywhere_is_all_traffic() -> None:
    assert rank_causes(leaves_of(failing(0.5)), "error_rate", HIGH)[0].selector == ALL_CALLS


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", ["error_rate", "latency_p95", "tokens_per_s"])
def test_noise_is_no_strong_cause(metric: str, seed: int) -> None:
    causes = rank_causes(leaves_of(lambda calls: calls, seed), metric, HIGH)
    assert all(cause.surprise < 8.0 for cause in causes)


def test_growth_that_the_season_brings_is_nobodys_fault() -> None:
    grown = leaves_of(more(1))
    assert rank_causes(grown, "tps", HIGH, growth=1.0)[0].selector == ALL_CALLS
    assert all(cause.surprise < 20.0 for cause in rank_causes(grown, "tps", HIGH, growth=2.0))


def test_of_a_dimension_that_was_always_worse_only_the_change_counts() -> None:
    always = failing(0.2, tenant="tenant-1")

    def change(calls: pd.DataFrame) -> pd.DataFrame:
        return failing(0.5, provider="provider-2")(always(calls))

    causes = rank_causes(leaves_of(change, reference=always), "error_rate", HIGH)
    assert causes[0].selector == Selector.of(provider="provider-2")
    assert Selector.of(tenant="tenant-1") not in [cause.selector for cause in causes[:3]]
