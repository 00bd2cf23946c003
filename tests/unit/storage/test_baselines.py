from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from core.series import Selector
from core.types import BaselineVersion
from storage.baselines import latest_baseline, read_baseline, read_slots, write_baselines
from storage.contract import Store

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COLUMNS = ["metric", "selector", "slot", "expected", "lower", "upper", "center", "scale", "samples"]


def _version(name: str = "v1", built_at: datetime = AT, series: int = 2) -> BaselineVersion:
    return BaselineVersion(
        version=name, built_at=built_at, trained_from=AT - timedelta(days=14), trained_to=AT - timedelta(hours=1), series=series
    )


def _frame(scale: float = 1.0) -> pd.DataFrame:
    slots = np.arange(168)
    rows = {
        "slot": slots,
        "expected": scale * slots,
        "lower": -1.0,
        "upper": np.nan,
        "center": 0.5,
        "scale": 0.1,
        "samples": 14,
    }
    parts = [
        pd.DataFrame(rows).assign(metric="tps", selector=""),
        pd.DataFrame(rows).assign(metric="latency_p95", selector=str(Selector.of(service='a "b"'))),
    ]
    return pd.concat(parts, ignore_index=True)


def test_what_was_written_comes_back(store: Store) -> None:
    write_baselines(store, _frame(), _version(), 1)
    read = read_baseline(store, "v1")
    expected = _frame()[COLUMNS].sort_values(["metric", "selector", "slot"], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected)
    assert latest_baseline(store) == _version()


def test_metrics_and_selectors_narrow_it(store: Store) -> None:
    write_baselines(store, _frame(), _version(), 1)
    assert set(read_baseline(store, "v1", metrics=["tps"])["metric"]) == {"tps"}
    by_selector = read_baseline(store, "v1", selectors=[Selector.of(service='a "b"')])
    assert set(by_selector["metric"]) == {"latency_p95"}
    assert read_baseline(store, "v1", metrics=["tps"], selectors=['service="x"']).empty


def test_the_version_that_was_built_last_is_the_latest(store: Store) -> None:
    write_baselines(store, _frame(), _version("v2", AT + timedelta(hours=6)), 1)
    write_baselines(store, _frame(), _version("v1", AT), 2)  # a replay of older history
    latest = latest_baseline(store)
    assert latest is not None
    assert latest.version == "v2"


def test_a_version_written_twice_has_the_rows_of_the_second_write(store: Store) -> None:
    write_baselines(store, _frame(), _version(), 1)
    write_baselines(store, _frame(2.0), _version(), 1)
    read = read_baseline(store, "v1", metrics=["tps"])
    assert list(read["expected"]) == list(2.0 * np.arange(168))


def test_an_unknown_version_is_an_empty_frame_with_its_columns(store: Store) -> None:
    assert latest_baseline(store) is None
    read = read_baseline(store, "v1")
    assert list(read.columns) == COLUMNS
    assert read["expected"].dtype == "float64"
    assert read["slot"].dtype == "int64"


def test_a_missing_column_is_named(store: Store) -> None:
    with pytest.raises(ValueError, match="no column 'scale'"):
        write_baselines(store, _frame().drop(columns="scale"), _version(), 1)


def test_slots_are_the_rows_without_texts_in_each(store: Store) -> None:
    write_baselines(store, _frame(), _version(), 1)
    write_baselines(store, _frame(2.0), _version(), 1)
    slots, rows = read_slots(store, "v1"), read_baseline(store, "v1")
    texts = slots.assign(metric=slots["metric"].astype("str"), selector=slots["selector"].astype("str"))
    expected = rows[["metric", "selector", "slot", "center", "scale", "samples"]].astype({"samples": "float64"})
    pd.testing.assert_frame_equal(texts.sort_values(["metric", "selector", "slot"], ignore_index=True), expected)
    assert read_slots(store, "v0").empty
