"""Objectives in the configuration: targets of transactions, bounds on metrics, and what they make of a version."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from core.config import ObjectiveSettings, Settings
from core.objective_words import bad_words, good_words, measure_words, window_words

CHECKOUT = {"name": "checkout", "selector": {"service": "shop"}, "thresholds": ["1s"]}


def objective(**given: Any) -> ObjectiveSettings:
    return ObjectiveSettings.model_validate({"name": "one", **given})


@pytest.mark.parametrize(
    ("given", "allowed", "measured", "bad"),
    [
        ({"target": "99.9%"}, 0.001, "calls of checkout good", "were not good"),
        ({"target": 0.99, "under": "500ms"}, 0.01, "calls of checkout good within 500ms", "were not good within 500ms"),
        (
            {"target": "95 %", "at_least": 5},
            0.05,
            "minutes of checkout with 5 calls/s or more",
            "had less than 5 calls/s",
        ),
        ({"metric": "error_rate", "at_most": 0.001}, 0.001, "calls of checkout good", "were not good"),
        (
            {"metric": "tps", "target": 0.95, "at_least": 5},
            0.05,
            "minutes of checkout with 5 calls/s or more",
            "had less than 5 calls/s",
        ),
    ],
)
def test_a_target_says_what_may_be_bad(given: dict[str, Any], allowed: float, measured: str, bad: str) -> None:
    found = objective(transaction="checkout", **given)
    assert found.allowed == pytest.approx(allowed)
    assert (measure_words(found), bad_words(found)) == (measured, bad)
    assert ObjectiveSettings.model_validate(found.model_dump(exclude_defaults=True)) == found


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "one of transaction or metric must be given"),
        ({"transaction": "checkout"}, "needs a target, for example 99.9%"),
        ({"transaction": "checkout", "target": "much%"}, "'much%' is no share"),
        ({"transaction": "checkout", "target": 99.9}, "less than 1"),
        ({"transaction": "checkout", "target": 0.9, "selector": {"service": "a"}}, "has no metric, selector or at_most"),
        (
            {"transaction": "checkout", "metric": "latency_p99", "at_most": 500},
            "write for example target: 99% and under: 500ms",
        ),
        ({"transaction": "checkout", "target": 0.9, "under": "1s", "at_least": 3}, "make two objectives of them"),
        ({"metric": "error_rate", "at_most": 0.1, "target": 0.9}, "are for objectives of a transaction"),
        ({"metric": "error_rate", "at_most": 0.1, "window": "90s"}, "window must be whole minutes, from 1h"),
        ({"metric": "error_rate", "at_most": 0.1, "window": "decade"}, "decade"),
        ({"metric": "error_rate", "at_most": 0.1, "time_zone": "Mars"}, "no IANA time zone"),
    ],
)
def test_what_makes_no_objective_is_said_why(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        objective(**given)


def test_windows_roll_or_follow_the_calendar() -> None:
    assert objective(metric="error_rate", at_most=0.1).length == timedelta(days=30)
    rolling = objective(transaction="checkout", target=0.99, window="28d")
    monthly = objective(transaction="checkout", target=0.99, window="month")
    assert [(window_words(one), one.length.days) for one in (rolling, monthly)] == [("28d", 28), ("this month", 30)]


def test_a_latency_that_an_objective_names_is_counted_by_a_version_of_its_own() -> None:
    def definitions(*objectives: dict[str, Any]) -> Any:
        return Settings.model_validate({"transactions": [CHECKOUT], "objectives": list(objectives)}).definitions[0]

    plain = definitions()
    share = definitions({"name": "good", "transaction": "checkout", "target": "99%"})
    known = definitions({"name": "fast", "transaction": "checkout", "target": "99%", "under": "1s"})
    new = definitions({"name": "fast", "transaction": "checkout", "target": "99%", "under": "500ms"})
    assert plain == share == known, "what is counted already changes no version"
    assert new.thresholds_ms == (500.0, 1000.0)
    assert new.version != plain.version
    assert new.selection.words == f"transaction checkout (version {new.version})"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"objectives": [{"name": "x", "transaction": "buy", "target": 0.9}]}, "no transaction 'buy' under transactions"),
        ({"rules": [{"name": "r", "kind": "absence", "transaction": "buy"}]}, "rule 'r': there is no transaction 'buy'"),
        ({"rules": [{"name": "r", "kind": "absence", "transaction": "checkout", "by": ["service"]}]}, "is a selection itself"),
        (
            {"rules": [{"name": "r", "kind": "threshold", "by": ["transaction"], "metric": "tokens_per_s", "above": 1}]},
            "no metric of a transaction",
        ),
        ({"rules": [{"name": "r", "kind": "objective", "by": ["service"]}]}, "selector and by need objective beside them"),
    ],
)
def test_names_and_selections_must_fit_one_another(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Settings.model_validate({"transactions": [CHECKOUT], **more})


@pytest.mark.parametrize(
    ("bad", "words"), [(0.0, "100 %"), (0.0007, "99.93 %"), (0.5, "50 %"), (0.001, "99.9 %"), (float("nan"), "no data")]
)
def test_shares_are_told_as_exactly_as_what_is_bad(bad: float, words: str) -> None:
    assert good_words(bad) == words
