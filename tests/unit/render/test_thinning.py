"""Long frames become short ones that look the same: peaks, dips and gaps stay."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.thinning import MOST_POINTS, thinned


def frame_of(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"ts": pd.date_range("2026-03-01", periods=len(values), freq="h", tz="UTC"), "value": values})


def test_a_short_frame_stays_as_it_is() -> None:
    short = frame_of([1.0] * MOST_POINTS)
    assert thinned(short) is short


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=300), st.integers(8, 60))
def test_no_peak_no_end_and_no_gap_is_lost(values: list[float], most: int) -> None:
    whole = frame_of(values)
    kept = thinned(whole, most=most)
    assert len(kept) <= max(most, 1)
    assert kept["ts"].is_monotonic_increasing
    assert kept["ts"].is_unique
    assert [kept["ts"].iloc[0], kept["ts"].iloc[-1]] == [whole["ts"].iloc[0], whole["ts"].iloc[-1]]
    assert kept["value"].max() == pytest.approx(whole["value"].max(), nan_ok=True)
    assert kept["value"].min() == pytest.approx(whole["value"].min(), nan_ok=True)
    assert kept["value"].isna().any() == whole["value"].isna().any()


def test_every_stretch_keeps_its_own_peak() -> None:
    values = np.sin(np.arange(50_000) / 500.0)
    values[[777, 20_001, 49_990]] = 9.0
    kept = thinned(frame_of(values.tolist()))
    assert 900 < len(kept) * 1.5 <= 1.5 * MOST_POINTS
    assert kept.index[kept["value"] == 9.0].tolist() == [777, 20_001, 49_990]


def test_a_band_keeps_its_lowest_and_its_highest_edge() -> None:
    rows = np.arange(5000.0)
    band = pd.DataFrame({"lower": np.where(rows == 1234, -50.0, rows), "upper": np.where(rows == 4000, 1e6, rows + 1)})
    kept = thinned(band, "lower", "upper")
    assert {0, 1234, 4000, 4999} <= set(kept.index)
    assert len(kept) <= MOST_POINTS
