"""Alerting's repository: what the tests' memory promises is what the store does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.repository import Repository, StoredRepository
from core.types import DeliveryState, Incident, IncidentState, JobState, Notification
from storage.changes import write_changes, write_verdicts
from tests.support.stores import chdb_store
from tests.unit.alerts.builders import incident, notification
from tests.unit.alerts.memory import MINUTE, START, MemoryRepository
from tests.unit.alerts.test_verdicts import verdict
from tests.unit.storage.conftest import empty

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredRepository]:
    with chdb_store(tmp_path_factory.mktemp("repository")) as store:
        empty(store)
        yield StoredRepository(store, 1)


@pytest.fixture(params=["memory", "store"])
def repository(request: pytest.FixtureRequest) -> Repository:
    if request.param == "memory":
        return MemoryRepository()
    found: StoredRepository = request.getfixturevalue("stored")
    empty(found._store)
    return found


def ids(found: list[Incident] | list[Notification]) -> list[str]:
    return sorted(one.id for one in found)


def test_incidents_are_those_that_are_open_and_those_that_ended_since(repository: Repository) -> None:
    ended = incident(id="ended", state=IncidentState.RESOLVED, resolved_at=START + HOUR)
    old = incident(id="old", state=IncidentState.RESOLVED, resolved_at=START)
    pending = incident(id="pending", state=IncidentState.PENDING, opened_at=None, last_notified_at=None)
    repository.write_incidents([incident(id="open"), ended, old, pending])
    repository.write_incidents([])
    assert ids(repository.incidents(START + MINUTE)) == ["ended", "open", "pending"]
    repository.write_incidents([replace(pending, state=IncidentState.RESOLVED, resolved_at=START)])
    assert ids(repository.incidents(START + MINUTE)) == ["ended", "open"]


def test_what_is_due_comes_oldest_first_and_without_the_named(repository: Repository) -> None:
    first = notification(id="b", created_at=START, next_attempt_at=START)
    second = notification(id="a", created_at=START + MINUTE, next_attempt_at=START + MINUTE)
    later = notification(id="later", next_attempt_at=START + HOUR)
    other = notification(id="other", receiver="pager")
    sent = replace(notification(id="sent"), state=DeliveryState.SENT, next_attempt_at=None)
    repository.write_notifications([second, first, later, other, sent])
    assert [one.id for one in repository.due(START + MINUTE, 10, ["pager"])] == ["b", "a"]
    assert [one.id for one in repository.due(START + MINUTE, 1, ["pager"])] == ["b"]
    repository.write_notifications([replace(first, state=DeliveryState.FAILED, next_attempt_at=None)])
    assert [one.id for one in repository.due(START + MINUTE, 10, ["pager"])] == ["a"]
    assert ids(repository.notifications_of(["i1"])) == ["a", "b", "later", "other", "sent"]
    assert repository.notifications_of([]) == []


def test_a_jobs_state_is_the_last_that_was_written(repository: Repository) -> None:
    assert repository.job("alerts") is None
    state = JobState(name="alerts", cursor=START, last_success_at=START, last_error_at=None, last_error="", duration_s=0.5)
    repository.write_job(state)
    repository.write_job(replace(state, cursor=START + MINUTE))
    assert repository.job("alerts") == replace(state, cursor=START + MINUTE)


def test_nothing_is_known_of_an_empty_repository(repository: Repository) -> None:
    assert repository.anomalies(START, START + HOUR) == []
    assert (repository.silences(START), repository.actions(START), repository.watermarks()) == ([], [], [])
    assert (repository.newest_minute(), repository.outlooks(), repository.letters(START)) == (None, [], 0)


def test_changes_come_with_what_is_said_of_them(stored: StoredRepository) -> None:
    empty(stored._store)
    change, judged = verdict("regression")
    old = replace(change, id="old", at=START - 3 * HOUR)
    write_changes(stored._store, [change, old])
    write_verdicts(stored._store, [judged, replace(judged, change_id="old")], 1)
    assert [(one.id, said.outcome, said.reasons) for one, said in stored.verdicts(START - 2 * HOUR)] == [
        ("c1", "regression", judged.reasons)
    ]
