"""What becomes of a batch: decoded, judged by its time, bounded; samples apart."""

from datetime import timedelta

import numpy as np
import orjson
import pytest

from core.clock import FakeClock
from core.config import Settings
from ingest.batch import Batch, Partition, Slice
from ingest.formats import Decoded, build_format
from ingest.intake import Intake, build_intake
from ingest.writer import BatchWriter
from tests.unit.ingest.builders import NOON, encoded, record
from tests.unit.ingest.fake_store import FakeStore

CALLS, SAMPLES = Partition("calls", 0), Partition("samples", 1)
NOON_MS = int(NOON.timestamp() * 1000)


def intake(**changes: object) -> Intake:
    return build_intake(Settings.model_validate(changes), build_format("tpscope", {}))


def batch(values: list[bytes], partition: Partition = CALLS, first: int = 100) -> Batch:
    times = np.full(len(values), NOON_MS, np.int64)
    return Batch(slices=(Slice(partition=partition, offsets=range(first, first + len(values)), values=values, times_ms=times),))


def test_calls_from_the_far_future_are_dead_letters_and_the_others_keep_their_places() -> None:
    values = encoded(*(record(ts=NOON.timestamp() + days * 86_400) for days in (0, 3, -1)))
    prepared = intake().prepare(batch([values[0], b"broken", *values[1:]]))
    assert prepared.rows.column("offset").to_pylist() == [100, 103]
    assert [(one.index, one.reason) for one in prepared.rejects] == [(1, "not_json"), (2, "too_new")]


def test_the_time_of_the_record_and_not_the_present_decides() -> None:
    old = encoded(record(ts=(NOON - timedelta(days=29)).timestamp()), record(ts=(NOON - timedelta(days=31)).timestamp()))
    prepared = intake(retention={"calls": "30d"}).prepare(batch(old))
    assert [one.reason for one in prepared.rejects] == ["too_old"]
    kept = intake(kafka={"too_old": "keep"}).prepare(batch(old))
    assert kept.rows.num_rows == 2


def test_records_without_a_time_of_their_own_are_kept() -> None:
    values = encoded(record(ts=0.0))
    plain = Batch(slices=(Slice(partition=CALLS, offsets=[0], values=values),))
    assert intake().prepare(plain).rows.num_rows == 1


def test_routes_become_templates_and_values_are_bounded() -> None:
    values = encoded(*(record(route=f"/users/{number}/cart", tenant=f"t{number}") for number in range(5)))
    rows = intake(cardinality={"tenant": 2}).prepare(batch(values)).rows
    assert set(rows.column("route").to_pylist()) == {"/users/{id}/cart"}
    assert rows.column("tenant").to_pylist() == ["t0", "t1", "__other__", "__other__", "__other__"]


def test_the_topic_of_samples_goes_to_their_table() -> None:
    store = FakeStore()
    values = [orjson.dumps({"ts": NOON_MS, "values": {"cpu": 0.5, "queue": 3}, "labels": {"pool": "a"}}), b"{}"]
    prepared = intake(kafka={"samples_topic": "samples"}).prepare(batch(values, SAMPLES))
    writer = BatchWriter(store=store, clock=FakeClock(NOON), dead_letter_bytes=100)
    assert writer.write(prepared) == ()
    found = [(row["name"], row["value"], row["topic"], row["partition"], row["offset"]) for row in store.rows("samples")]
    assert found == [("cpu", 0.5, "samples", 1, 100), ("queue", 3.0, "samples", 1, 100)]
    assert [row["offset"] for row in store.rows("dead_letters")] == [101]
    assert prepared.rejected == {("samples", "bad_ts"): 1}
    assert "calls" not in store.tables


class Defective:
    """A format that fails on some records, against its promise."""

    name = "defective"

    def decode(self, values: object) -> Decoded:
        found = list(values)  # type: ignore[call-overload]
        if any(b"poison" in value for value in found):
            raise RecursionError("too deep")
        return build_format("tpscope", {}).decode(found)

    def decode_objects(self, objects: object) -> Decoded:
        raise AssertionError("these are bytes")


@pytest.mark.parametrize("poisoned", [{0}, {3, 4}, {1, 6}, set(range(7))])
def test_a_defect_of_a_format_costs_only_the_records_that_it_fails_on(poisoned: set[int]) -> None:
    values = encoded(*(record(request_id="poison" if place in poisoned else "fine") for place in range(7)))
    prepared = Intake(format=Defective()).prepare(batch(values))
    assert prepared.rows.column("offset").to_pylist() == [100 + place for place in range(7) if place not in poisoned]
    assert [one.index for one in prepared.rejects] == sorted(poisoned)
    assert {one.reason for one in prepared.rejects} == {"unreadable"}
