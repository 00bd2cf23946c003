"""Epochs that only grow, and the demo's copied past."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from storage.epochs import claim_epoch
from storage.hours import insert_hours, read_hours
from storage.past import replicate_hours
from tests.support.stores import chdb_store

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_claimed_epoch_is_above_all_before_it(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        assert claim_epoch(store, 0) == 1
        assert claim_epoch(store, 0) == 2
        assert claim_epoch(store, 40) == 40
        assert claim_epoch(store, 3) == 41


def test_copied_hours_are_scaled_labelled_and_the_same_each_time(tmp_path: Path) -> None:
    hours = pd.date_range(START, periods=168, freq="h")
    frame = pd.DataFrame({"hour": hours, "scope": "global", "selector": "", "calls": 10_000, "latency_p95": 120.0})
    week = timedelta(weeks=1)
    with chdb_store(tmp_path) as store:
        insert_hours(store, frame, origin="live", epoch=1)
        for _ in range(2):
            replicate_hours(store, START, START + week, shift=week, factor=0.9, epoch=1)
        copied = read_hours(store, "tps", START - week, START)
        labelled = store.frame("SELECT DISTINCT origin FROM hours FINAL WHERE hour < '2026-03-02'")
        latency = read_hours(store, "latency_p95", START - week, START)
    assert len(copied) == 168
    assert copied["value"].mean() == pytest.approx(0.9 * 10_000 / 3600, rel=0.01)
    assert 0.02 < copied["value"].std() / copied["value"].mean() < 0.04
    assert list(labelled["origin"]) == ["generated"]
    assert set(latency["value"]) == {120.0}
