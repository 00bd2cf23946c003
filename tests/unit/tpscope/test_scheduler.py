"""Jobs run at their interval, and sooner where a run says that something is due."""

import threading
from datetime import timedelta

import pytest

from core.errors import StoreUnavailable
from tests.support.wait import wait_until
from tpscope.leader import SoleLeader
from tpscope.scheduler import Job, JobScheduler

HOUR = timedelta(hours=1)


def test_a_run_hastens_the_next_one_and_a_job_alone_waits_for_no_other() -> None:
    runs: list[str] = []
    release = threading.Event()

    def run(name: str) -> str:
        runs.append(name)
        if name == "long":
            release.wait(10)
        return name

    jobs = [
        Job(name="long", every=HOUR, run=lambda epoch: run("long")),
        Job(
            name="again",
            every=HOUR,
            run=lambda epoch: run("again"),
            hastens=lambda done: {"again": timedelta(milliseconds=200), "nobody": HOUR} if runs.count(done) < 3 else {},
        ),
    ]
    scheduler = JobScheduler(jobs, SoleLeader(lambda generation: 1), frozenset(), alone=frozenset({"again"}))
    scheduler.start()
    try:
        wait_until(lambda: runs.count("again") >= 3, timeout_s=10)
    finally:
        release.set()
        scheduler.stop(lambda: None)
    assert (runs.count("again"), runs.count("long")) == (3, 1)


def test_a_job_that_runs_at_the_end_is_interrupted_and_that_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    begun, interrupted = threading.Event(), threading.Event()

    def run(epoch: int) -> None:
        begun.set()
        interrupted.wait(10)
        raise StoreUnavailable("store: is closed")

    scheduler = JobScheduler([Job(name="long", every=HOUR, run=run)], SoleLeader(lambda generation: 1), frozenset({"long"}))
    scheduler.start()
    assert begun.wait(10)
    with caplog.at_level("INFO"):
        scheduler.stop(interrupted.set)
    assert [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "tpscope.scheduler"] == [
        ("INFO", "job long was interrupted; it goes on after the next start")
    ]
