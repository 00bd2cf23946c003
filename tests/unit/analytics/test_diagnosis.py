"""What kind of trouble is named, by which evidence, and that none is where the data supports none."""

import json

import pandas as pd
import pytest

from analytics.diagnosis import Diagnosis, diagnose
from core.series import Direction, Selector
from tests.unit.analytics.calls import Change, leaves_of, where
from tests.unit.analytics.test_causes import HIGH, LOW, failing, gone, more, times, without

KNOWN = tuple(Selector.of(model=f"model-{number}") for number in range(6))


def limited(calls: pd.DataFrame) -> pd.DataFrame:
    return calls.assign(limited=calls["limited"] | where(calls, provider="provider-0"))


@pytest.mark.parametrize(
    ("metric", "direction", "change", "hint"),
    [
        ("error_rate", HIGH, failing(0.6, provider="provider-1"), "provider outage"),
        ("error_rate", HIGH, failing(0.4, gateway="gw-1"), "gateway node"),
        ("latency_p95", HIGH, times("latency", 3.0, gateway="gw-1"), "gateway node"),
        ("latency_p95", HIGH, times("latency", 3.0, provider="provider-2"), "slow provider"),
        ("rate_limited_rate", HIGH, limited, "rate limiting"),
        ("cache_hit_rate", LOW, without("cached", service="service-1"), "cache collapse"),
        ("tps", HIGH, more(3, service="service-1"), "traffic surge"),
        ("tps", HIGH, more(9, tenant="tenant-2"), "one tenant"),
        ("tps", LOW, gone(route="/route-1"), "silence"),
        ("tokens_per_s", HIGH, times("tokens", 5.0, model="model-0"), "token growth"),
        ("error_rate", HIGH, failing(0.5, route="/route-2"), ""),
    ],
)
def test_the_kind_of_trouble(metric: str, direction: Direction, change: Change, hint: str) -> None:
    found = diagnose(leaves_of(change), metric, direction, KNOWN)
    assert found.hint == hint
    assert bool(found.evidence) == bool(hint)


def renamed(calls: pd.DataFrame) -> pd.DataFrame:
    slower = times("latency", 2.5, model="model-0")(calls)
    return slower.assign(model=slower["model"].replace("model-0", "model-0-next"))


@pytest.mark.parametrize(("metric", "direction"), [("latency_p95", HIGH), ("tps", LOW)])
def test_a_model_that_was_never_seen_is_a_new_version(metric: str, direction: Direction) -> None:
    found = diagnose(leaves_of(renamed), metric, direction, KNOWN)
    assert (found.hint, found.causes[0].selector) == ("new model version", Selector.of(model="model-0-next"))
    assert "was not seen before" in found.evidence


def test_a_model_that_has_a_baseline_is_not_new() -> None:
    known = (*KNOWN, Selector.of(model="model-0-next"))
    assert diagnose(leaves_of(renamed), "latency_p95", HIGH, known).hint != "new model version"


def test_a_new_model_elsewhere_is_not_blamed() -> None:
    def change(calls: pd.DataFrame) -> pd.DataFrame:
        rare = where(calls, model="model-5")
        return failing(0.7, provider="provider-0")(calls.assign(model=calls["model"].mask(rare, "model-x")))

    found = diagnose(leaves_of(change), "error_rate", HIGH, KNOWN)
    assert found.causes[0].selector == Selector.of(provider="provider-0")


def test_it_survives_json() -> None:
    found = diagnose(leaves_of(failing(0.6, provider="provider-1")), "error_rate", HIGH, KNOWN)
    assert Diagnosis.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_without_calls_nothing_is_said() -> None:
    assert diagnose(leaves_of(lambda calls: calls), "error_rate", HIGH, KNOWN).hint == ""
