"""Mutated records of every format: each ends in the calls or in the dead letters; benchmarks/fuzz_ingest.py runs millions."""

from pathlib import Path

import pytest

from benchmarks.fuzz_ingest import FORMATS, Fuzz
from tests.support.stores import chdb_store


def test_no_mutated_record_is_lost_or_doubled() -> None:
    fuzz = Fuzz(20_261_124, block=1_000)
    for number in range(2 * len(FORMATS)):  # both in one buffer and one by one
        fuzz.run(number)
    assert fuzz.outcomes.total() == 2 * len(FORMATS) * 1_000
    assert fuzz.outcomes["read"] > 0.15 * fuzz.outcomes.total()
    assert {"not_json", "bad_ts", "bad_value", "empty", "not_object", "too_old"} <= fuzz.outcomes.keys()


def test_the_engine_takes_what_the_decoders_took(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        fuzz = Fuzz(7, block=200, engine=store)
        for number in range(len(FORMATS)):
            fuzz.run(number)
        assert fuzz.outcomes["read"] > 100


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_million_mutated_records() -> None:
    fuzz = Fuzz(3)
    for number in range(200):
        fuzz.run(number)
    assert fuzz.outcomes.total() == 1_000_000
