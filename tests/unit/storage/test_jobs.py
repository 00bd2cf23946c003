from datetime import UTC, datetime, timedelta

from core.types import JobState
from storage.contract import Store
from storage.jobs import count_failures, read_job, read_jobs, write_job

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def _state(name: str, cursor: datetime | None, error: str = "") -> JobState:
    return JobState(
        name=name,
        cursor=cursor,
        last_success_at=None if error else AT,
        last_error_at=AT if error else None,
        last_error=error,
        duration_s=1.5,
    )


def test_the_latest_state_of_a_job_holds_as_a_whole(store: Store) -> None:
    write_job(store, _state("detect", AT), 1)
    latest = _state("detect", None, "broke")
    write_job(store, latest, 1)
    assert read_job(store, "detect") == latest  # the cursor is None again: a state is not merged with the former


def test_a_lower_epoch_loses_also_when_it_writes_later(store: Store) -> None:
    ours = _state("detect", AT)
    write_job(store, ours, 8)
    write_job(store, _state("detect", AT - timedelta(hours=1)), 7)
    assert read_job(store, "detect") == ours


def test_every_job_is_listed_once_by_name(store: Store) -> None:
    for name in ("hours", "detect", "hours"):
        write_job(store, _state(name, AT), 1)
    assert [job.name for job in read_jobs(store)] == ["detect", "hours"]


def test_a_job_that_never_reported_is_none(store: Store) -> None:
    assert read_job(store, "detect") is None
    assert read_jobs(store) == []


def test_a_failure_counts_once_however_often_it_is_reported(store: Store) -> None:
    before = count_failures(store, AT).get("flaky", 0)
    for _ in range(3):
        write_job(store, _state("flaky", None, "broke"), 9)
    write_job(store, _state("flaky", AT), 9)
    assert count_failures(store, AT)["flaky"] == before + 1
    assert "flaky" not in count_failures(store, AT + timedelta(seconds=1))
