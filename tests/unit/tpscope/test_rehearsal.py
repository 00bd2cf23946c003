"""Faults change what they match and nothing else; plans fit into the history; results are counted as people would."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.alerts.builders import incident
from tests.unit.storage.batches import batch
from tpscope.faults import SHAPES, Fault, FaultKind, inject
from tpscope.rehearsal import APART, planned
from tpscope.rehearsal_results import first_told, judged
from tpscope.replay import Told

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def calls() -> pa.Table:
    """Four hours, one call of each of two values every ten seconds."""
    rows = [
        {
            "ts": START - HOUR + timedelta(seconds=10 * number),
            "status": 200,
            "latency_ms": 100.0,
            **dict.fromkeys(("service", "route", "tenant", "provider"), which),
        }
        for number in range(4 * 360)
        for which in ("a", "b")
    ]
    return batch(rows)


def injected(kind: FaultKind) -> tuple[pa.Table, pa.Table]:
    """The calls that the fault is about, and all others."""
    fault = Fault(kind=kind, start=START, dimension=SHAPES[kind].dimensions[0], value="a")
    frame = inject(calls(), fault, np.random.default_rng(1)).select(["ts", "service", "status", "error_type", "latency_ms"])
    times = frame.column("ts").to_pandas()
    inside = (times >= fault.start - MINUTE / 2) & (times < fault.end + MINUTE / 2)
    ours = inside & (frame.column("service").to_pandas() == "a")
    return frame.filter(pa.array(ours)), frame.filter(pa.array(~ours))


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_leaves_all_other_calls_as_they_were(kind: FaultKind) -> None:
    _, others = injected(kind)
    lasted = (SHAPES[kind].lasts + MINUTE) / timedelta(seconds=10)
    assert others.num_rows == pytest.approx(calls().num_rows - lasted, abs=3)
    assert set(others.column("status").to_pylist()) == {200}
    assert set(others.column("latency_ms").to_pylist()) == {100.0}


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [(FaultKind.DROP, 40, 75), (FaultKind.SILENCE, 0, 6), (FaultKind.SURGE, 520, 560), (FaultKind.TENANT_BURST, 1400, 1460)],
)
def test_faults_of_traffic_change_how_many_calls_there_are(kind: FaultKind, least: int, most: int) -> None:
    ours, _ = injected(kind)
    assert least <= ours.num_rows <= most, "180 calls were there, and 6 beside them"


def test_a_brown_out_fails_and_slows_and_a_creep_grows() -> None:
    browned, _ = injected(FaultKind.BROWN_OUT)
    failed = [status == 503 for status in browned.column("status").to_pylist()]
    assert np.mean(failed) == pytest.approx(0.4, abs=0.12)
    assert failed == [error == "upstream" for error in browned.column("error_type").to_pylist()]
    assert np.median(browned.column("latency_ms").to_pylist()) == 200.0
    crept = injected(FaultKind.CREEP)[0].column("latency_ms").to_numpy()[3:-3]
    assert crept[0] == pytest.approx(100.0, abs=5)
    assert crept[-1] == pytest.approx(400.0)
    assert (np.diff(crept) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(hours=st.integers(0, 200), count=st.integers(0, 40), seed=st.integers(0, 9))
def test_planned_faults_lie_within_the_span_and_apart(hours: int, count: int, seed: int) -> None:
    values = {name: ["a", "b"] for name in ("service", "route", "tenant", "provider")}
    plan = planned(values, START, START + hours * HOUR, count, np.random.default_rng(seed))
    assert len(plan) <= count
    assert all(one.start >= START and one.end <= START + hours * HOUR for one in plan)
    assert all(after.start - before.end >= APART - MINUTE for before, after in itertools.pairwise(plan))


def test_kinds_that_fall_on_nothing_are_left_out() -> None:
    plan = planned({"service": ["a"]}, START, START + 100 * HOUR, 10, np.random.default_rng(0))
    assert FaultKind.TENANT_BURST not in {one.kind for one in plan}
    assert len(plan) == 10


def test_results_count_messages_and_faults() -> None:
    plan = [Fault(kind=FaultKind.SILENCE, start=START + hours * HOUR, dimension="route", value="a") for hours in (0, 5)]
    told = [
        _told(2 * MINUTE, rule="slow"),
        _told(4 * MINUTE, rule="other"),
        _told(3 * HOUR, rule="other", resolved_at=START + 4 * HOUR),
    ]
    slow, other, everything = judged(["slow", "other"], plan, told, timedelta(days=7))
    assert (slow.precision, slow.recall, slow.delay_s, slow.pages_a_week) == (1.0, 0.5, 120.0, 1.0)
    assert (other.precision, other.recall, other.delay_s) == (0.5, 0.5, 240.0)
    assert (everything.told, everything.true, everything.found, everything.delay_s) == (3, 2, 1, 120.0)
    assert [message for _, message in first_told(plan, told)] == [told[0], None]


def _told(after: timedelta, rule: str, resolved_at: datetime | None = None) -> Told:
    at = START + after
    return Told(incident=incident(rule=rule, started_at=at - MINUTE, resolved_at=resolved_at or at + MINUTE), at=at)
