"""Which incidents are joined to the incident of an anomaly."""

import pytest

from alerts.inhibition import Source, inhibiting, overlap
from core.series import Selector
from core.types import Severity
from tests.unit.alerts.builders import incident

OPENAI = {"provider": "openai"}


def source(severity: Severity = Severity.WARNING, *scopes: Selector, receivers: tuple[str, ...] = ("chat",)) -> Source:
    cause = incident(id="cause", rule="unusual", anomaly_id="a1", severity=severity, labels=OPENAI)
    return Source(incident=cause, scopes=scopes or (Selector.of(OPENAI),), receivers=frozenset(receivers))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (OPENAI, OPENAI, True),
        (OPENAI, {"provider": "openai", "service": "chat"}, True),
        ({"provider": "openai", "service": "chat"}, {"provider": "openai", "model": "m"}, True),
        (OPENAI, {"provider": "mistral"}, False),
        ({"provider": "openai", "service": "chat"}, {"provider": "openai", "service": "search"}, False),
        (OPENAI, {"service": "chat"}, False),
        ({}, OPENAI, True),
        ({}, {}, True),
    ],
)
def test_selections_overlap_when_they_agree_and_nowhere_contradict(
    one: dict[str, str], other: dict[str, str], expected: bool
) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


@pytest.mark.parametrize(
    ("labels", "found", "joined"),
    [
        (OPENAI, source(), True),
        ({"service": "chat"}, source(), False),
        ({"service": "chat"}, source(Severity.WARNING, Selector.of(OPENAI), Selector.of(service="chat")), True),
        ({"service": "chat", "team": "llm"}, source(Severity.WARNING, Selector.of(service="chat")), True),
        (OPENAI, source(Severity.INFO), False),
        (OPENAI, source(Severity.CRITICAL), True),
        (OPENAI, source(receivers=("pager",)), False),
        (OPENAI, source(receivers=("pager", "chat")), True),
    ],
)
def test_a_threshold_is_joined_to_what_told_the_same_people_of_the_same_calls(
    labels: dict[str, str], found: Source, joined: bool
) -> None:
    assert (inhibiting(incident(labels=labels), ["chat"], [found]) is found) is joined


def test_two_rules_on_one_anomaly_tell_it_once_and_two_anomalies_twice() -> None:
    same = incident(id="i2", rule="other", anomaly_id="a1", labels=OPENAI)
    another = incident(id="i3", rule="other", anomaly_id="a2", labels=OPENAI)
    assert inhibiting(same, ["chat"], [source()]) is not None
    assert inhibiting(another, ["chat"], [source()]) is None


def test_nothing_inhibits_itself() -> None:
    found = source()
    assert inhibiting(found.incident, ["chat"], [found]) is None
