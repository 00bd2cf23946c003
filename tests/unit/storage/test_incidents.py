import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.types import Incident, IncidentState, RankedCause, Severity
from storage.contract import Store
from storage.incidents import incident_history, read_incidents, write_incidents

AT = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _incident(id: str = "i1", **changes: object) -> Incident:
    incident = Incident(
        id=id,
        fingerprint="errors/service=chat",
        state=IncidentState.FIRING,
        rule="errors",
        kind="threshold",
        severity=Severity.CRITICAL,
        labels={"service": "chat", "note": 'quote " and \\ and ünïcode'},
        title="Errors",
        summary="12 % of calls fail",
        started_at=AT,
        updated_at=AT,
        resolved_at=None,
        last_notified_at=None,
        opened_at=AT,
        metric="error_rate",
        value=0.12,
        threshold=0.05,
        unit="1",
        anomaly_id="",
        runbook="https://runbooks.example/errors",
    )
    return replace(incident, **changes)  # type: ignore[arg-type]


def _resolved(id: str, at: datetime) -> Incident:
    return _incident(id, state=IncidentState.RESOLVED, resolved_at=at, updated_at=at)


def test_what_was_written_comes_back(store: Store) -> None:
    incident = _incident(last_notified_at=AT + MINUTE, judged_until=AT)
    write_incidents(store, [incident], 1)
    assert read_incidents(store) == [incident]


def test_numbers_that_a_kind_has_not_stay_nan_and_no_labels_stay_none(store: Store) -> None:
    write_incidents(store, [_incident(value=float("nan"), labels={})], 1)
    (found,) = read_incidents(store)
    assert math.isnan(found.value)
    assert found.labels == {}


def test_the_latest_state_holds_and_history_keeps_all(store: Store) -> None:
    states = [_incident(), _incident(last_notified_at=AT), _resolved("i1", AT + MINUTE)]
    for state in states:
        write_incidents(store, [state], 3)
    write_incidents(store, [_incident(title="from an ousted process")], 2)
    assert read_incidents(store) == [states[-1]]
    assert incident_history(store, "i1")[-3:] == states
    assert incident_history(store, "i2") == []


def test_firing_only_leaves_out_what_is_resolved_now(store: Store) -> None:
    write_incidents(store, [_incident("old"), _incident("new", started_at=AT + MINUTE)], 1)
    write_incidents(store, [_resolved("old", AT + MINUTE)], 1)
    assert [one.id for one in read_incidents(store, firing_only=True)] == ["new"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ["open", "short"]),
        (AT, AT + MINUTE, ["short"]),
        (AT + 2 * MINUTE, AT + 3 * MINUTE, []),
        (AT + 2 * MINUTE, None, ["open"]),
        (None, AT + 3 * MINUTE, ["short"]),
        (AT + 9 * MINUTE, AT + 10 * MINUTE, ["open"]),
    ],
)
def test_a_span_has_what_lasted_in_it(store: Store, start: datetime | None, end: datetime | None, expected: list[str]) -> None:
    write_incidents(store, [_resolved("short", AT + 2 * MINUTE), _incident("open", started_at=AT + 3 * MINUTE)], 1)
    assert [one.id for one in read_incidents(store, start, end)] == expected


def test_the_limit_keeps_the_newest(store: Store) -> None:
    write_incidents(store, [_incident(f"i{n}", started_at=AT + n * MINUTE) for n in range(5)], 1)
    assert [one.id for one in read_incidents(store, limit=2)] == ["i4", "i3"]


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="updated_at: a time without a time zone"):
        write_incidents(store, [_incident(updated_at=AT.replace(tzinfo=None))], 1)


def test_what_has_not_fired_is_left_out_unless_asked_for(store: Store) -> None:
    pending = _incident("p", state=IncidentState.PENDING, opened_at=None)
    dropped = _incident("d", state=IncidentState.RESOLVED, opened_at=None, resolved_at=AT + MINUTE)
    others = [_incident(state.value, state=state) for state in IncidentState if state.is_open]
    write_incidents(store, [pending, dropped, *others], 1)
    assert {one.id for one in read_incidents(store)} == {"firing", "acknowledged", "recovering"}
    assert len(read_incidents(store, firing_only=True)) == 3
    assert {one.id for one in read_incidents(store, pending=True)} >= {"p", "d"}


def test_causes_snooze_and_expected_range_come_back(store: Store) -> None:
    causes = (RankedCause(text="provider openai", share=0.82), RankedCause(text='model "x"', share=0.5))
    written = _incident(causes=causes, snoozed_until=AT + MINUTE, lower=0.0, upper=0.03)
    write_incidents(store, [written], 1)
    assert read_incidents(store) == [written]
