"""Late data: whoever was told hears once that a verdict was amended or withdrawn, also after the incident's end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.memory import AlertMemory
from alerts.pipeline import evaluate
from core.clock import FakeClock
from core.types import AnomalyVerdict, NotifyReason
from tests.unit.alerts.builders import anomaly, settings, slow, unusual
from tests.unit.alerts.memory import MINUTE, START, Killed, MemoryRepository

ENDED = anomaly(ended_at=START + 3 * MINUTE)
ODD = settings(unusual())


def told_and_ended() -> tuple[MemoryRepository, FakeClock]:
    repository, clock = MemoryRepository(), FakeClock(START + 2 * MINUTE)
    repository.stored_anomalies = {"a1": anomaly()}
    evaluate(repository, clock, ODD)
    repository.stored_anomalies = {"a1": ENDED}
    clock.advance(3 * MINUTE)
    evaluate(repository, clock, ODD)
    return repository, clock


def reasons(repository: MemoryRepository) -> list[str]:
    return [one.reason.value for one in repository.latest_notifications()]


def judged_again(verdict: AnomalyVerdict, said: str) -> dict[str, object]:
    return {"a1": replace(ENDED, verdict=verdict, explanation=said)}


def test_a_verdict_that_changes_hours_after_the_end_is_told_once() -> None:
    repository, clock = told_and_ended()
    clock.advance(timedelta(hours=5))
    repository.stored_anomalies.update(judged_again(AnomalyVerdict.AMENDED, "It was less."))  # type: ignore[arg-type]
    for _ in range(3):
        evaluate(repository, clock, ODD)
        clock.advance(MINUTE)
    assert reasons(repository) == ["opened", "resolved", "amended"]
    repository.stored_anomalies.update(judged_again(AnomalyVerdict.WITHDRAWN, "It was nothing."))  # type: ignore[arg-type]
    for _ in range(3):
        evaluate(repository, clock, ODD)
        clock.advance(MINUTE)
    assert reasons(repository) == ["opened", "resolved", "amended", "withdrawn"]
    (incident,) = repository.latest_incidents()
    assert (incident.labels["verdict"], incident.summary) == ("withdrawn", "It was nothing.")
    assert "[withdrawn]" in repository.latest_notifications()[-1].payload


def test_a_crash_between_the_verdict_and_its_message_loses_nothing() -> None:
    repository, clock = told_and_ended()
    clock.advance(MINUTE)
    repository.stored_anomalies.update(judged_again(AnomalyVerdict.WITHDRAWN, "It was nothing."))  # type: ignore[arg-type]
    repository.kill_before = "notifications"
    try:
        evaluate(repository, clock, ODD)
    except Killed:
        clock.advance(MINUTE)
    for _ in range(2):
        evaluate(repository, clock, ODD)
    assert reasons(repository) == ["opened", "resolved", "withdrawn"]


def test_a_crash_loses_no_verdict_however_old_the_incident_and_whatever_was_told_before() -> None:
    repository, clock = told_and_ended()
    for number, verdict in enumerate((AnomalyVerdict.AMENDED, AnomalyVerdict.AMENDED, AnomalyVerdict.WITHDRAWN)):
        clock.advance(timedelta(hours=5))
        evaluate(repository, clock, ODD)
        clock.advance(MINUTE)
        repository.stored_anomalies.update(judged_again(verdict, f"It was number {number}."))  # type: ignore[arg-type]
        repository.kill_before = "notifications"
        with pytest.raises(Killed):
            evaluate(repository, clock, ODD)
        for memory in (AlertMemory(), AlertMemory(sure=True)):
            clock.advance(MINUTE)
            evaluate(repository, clock, ODD, memory)
    assert reasons(repository) == ["opened", "resolved", "amended", "amended", "withdrawn"]


def test_verdicts_are_read_once_a_minute() -> None:
    repository, clock = told_and_ended()
    memory = AlertMemory()
    repository.stored_anomalies.update(judged_again(AnomalyVerdict.WITHDRAWN, "It was nothing."))  # type: ignore[arg-type]
    memory.verdicts_at = clock.now()
    evaluate(repository, clock, ODD, memory)
    assert reasons(repository) == ["opened", "resolved"]
    clock.advance(MINUTE)
    evaluate(repository, clock, ODD, memory)
    assert reasons(repository) == ["opened", "resolved", "withdrawn"]


def test_what_is_withdrawn_before_it_was_told_is_never_told() -> None:
    repository, clock = MemoryRepository(), FakeClock(START + 5 * MINUTE)
    repository.stored_anomalies.update(judged_again(AnomalyVerdict.WITHDRAWN, "It was nothing."))  # type: ignore[arg-type]
    evaluate(repository, clock, ODD)
    assert repository.latest_notifications() == []
    assert NotifyReason.WITHDRAWN.value == AnomalyVerdict.WITHDRAWN.value


def test_a_threshold_that_late_calls_unmake_is_withdrawn_once_after_its_end() -> None:
    for late, said in ((100.0, ["opened", "resolved", "withdrawn"]), (900.0, ["opened", "resolved"])):
        repository, clock, given = MemoryRepository(), FakeClock(START), settings(slow())
        for number in range(30):
            end = START + number * MINUTE
            repository.put("latency_p95", "chat", end, 900.0 if 5 <= number < 8 else 100.0)
            clock.set(end + timedelta(seconds=10))
            if number == 15:
                for changed in range(5, 8):
                    repository.put("latency_p95", "chat", START + changed * MINUTE, late)
            evaluate(repository, clock, given)
        assert reasons(repository) == said
        (incident,) = repository.latest_incidents()
        assert incident.labels["rechecked"] == "yes"
        assert len([one for one in repository.incident_events if "rechecked" in one.labels]) == 1


def test_a_rule_with_a_delay_judges_minutes_so_much_later() -> None:
    repository, clock, given = MemoryRepository(), FakeClock(START), settings(slow(delay="3m"))
    for number in range(12):
        end = START + number * MINUTE
        repository.put("latency_p95", "chat", end, 900.0 if 2 <= number < 5 else 100.0)
        if number == 4:  # two minutes look well when their calls have come
            repository.put("latency_p95", "chat", START + 2 * MINUTE, 100.0)
            repository.put("latency_p95", "chat", START + 3 * MINUTE, 100.0)
        clock.set(end + timedelta(seconds=10))
        evaluate(repository, clock, given)
    opening, _ = repository.latest_notifications()
    assert opening.created_at == START + 7 * MINUTE + timedelta(seconds=10), "the minute to 4, three minutes later"
