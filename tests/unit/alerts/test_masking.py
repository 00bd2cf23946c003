"""What was expected or snoozed is left out of training: the incident's time, closed when it ends, traceable to who said it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.masking import masks_of
from alerts.pipeline import evaluate
from core.clock import FakeClock
from core.masks import MaskKind
from core.series import Selector
from core.types import Action, IncidentAction, IncidentState
from tests.unit.alerts.builders import incident, settings, slow
from tests.unit.alerts.memory import MINUTE, START, MemoryRepository

HOUR = timedelta(hours=1)
EXPECTED = incident(labels={"service": "chat", "expected": "yes", "acknowledged_by": "ops"})
OVER = replace(EXPECTED, state=IncidentState.RESOLVED, resolved_at=START + HOUR)
SNOOZED = incident(snoozed_until=START + HOUR)


def test_an_expected_incident_is_masked_and_the_mask_ends_with_it() -> None:
    (open_,) = masks_of([incident()], [EXPECTED], START)
    (closed,) = masks_of([EXPECTED], [OVER], START)
    assert (open_.kind, open_.start, open_.end) == (MaskKind.INCIDENT, START, None)
    assert (closed.id, closed.kind, closed.end) == (open_.id, MaskKind.EXPECTED, START + HOUR)
    assert (closed.selector, closed.who) == (Selector.of(service="chat"), "chat (ops)")
    assert "expected, said of incident i1: Latency P95 above" in closed.why
    assert masks_of([EXPECTED], [replace(EXPECTED, value=3.0)], START) == []


def test_a_snooze_is_masked_until_it_or_the_incident_ends() -> None:
    (snoozed,) = masks_of([incident()], [SNOOZED], START)
    (cut,) = masks_of([SNOOZED], [replace(SNOOZED, state=IncidentState.RESOLVED, resolved_at=START + HOUR / 2)], START)
    assert (snoozed.kind, snoozed.end, cut.end) == (MaskKind.INCIDENT, START + HOUR, START + HOUR / 2)


@pytest.mark.parametrize("kind", ["budget", "forecast", "pipeline"])
def test_what_is_not_about_traffic_masks_nothing(kind: str) -> None:
    assert masks_of([], [replace(EXPECTED, kind=kind)], START) == []


def test_a_group_of_things_with_nothing_in_common_masks_nothing() -> None:
    assert masks_of([], [replace(EXPECTED, labels={"expected": "yes", "group_size": "9"})], START) == []


def test_the_evaluation_writes_the_mask_when_somebody_said_so_and_closes_it_hours_later() -> None:
    repository, clock, configured = MemoryRepository(), FakeClock(START), settings(slow())
    for number in range(5 * 60):
        end = START + number * MINUTE
        repository.put("latency_p95", "chat", end, 900.0 if number < 4 * 60 else 100.0)
        clock.set(end + timedelta(seconds=10))
        if number % 20 == 3 or number > 4 * 60 - 3:
            evaluate(repository, clock, configured)
        if number == 3:
            said = IncidentAction(
                id="n1",
                incident_id=repository.latest_incidents()[0].id,
                action=Action.EXPECTED,
                receiver="chat",
                at=clock.now(),
            )
            repository.said.append(said)
        if number == 30:
            (mask,) = repository.masks.values()
            assert mask.end is None
        if number > 4 * 60 + 5:
            break
    (mask,) = repository.masks.values()
    (found,) = repository.latest_incidents()
    assert (mask.start, mask.end, mask.kind) == (found.started_at, found.resolved_at, MaskKind.EXPECTED)
