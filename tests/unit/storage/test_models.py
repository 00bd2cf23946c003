from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from storage.contract import Store
from storage.models import StoredModel, latest_model, latest_version, write_model

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MODEL = StoredModel(
    version="m1",
    kind="forest",
    built_at=AT,
    meta={"threshold": 0.61, "features": ["tps", "latency_p95"], "nested": {"seed": 7}},
    arrays={
        "nodes": np.arange(24, dtype=np.int32).reshape(2, 3, 4),
        "values": np.array([np.nan, np.inf, -0.0, 1e-300]),
        "scalar": np.array(3.25),
        "none": np.zeros((0, 5)),
    },
)


def test_arrays_of_any_shape_come_back(store: Store) -> None:
    write_model(store, MODEL, 1)
    read = latest_model(store, "forest")
    assert read is not None
    assert (read.version, read.kind, read.built_at, read.meta) == ("m1", "forest", AT, MODEL.meta)
    assert read.arrays.keys() == MODEL.arrays.keys()
    for name, array in MODEL.arrays.items():
        assert read.arrays[name].dtype == np.float64
        np.testing.assert_array_equal(read.arrays[name], array, strict=False)
        assert read.arrays[name].shape == array.shape


def test_the_model_that_was_built_last_holds_per_kind(store: Store) -> None:
    later = replace(MODEL, version="m2", built_at=AT + timedelta(hours=6), arrays={"a": np.ones(1)})
    write_model(store, later, 1)
    write_model(store, MODEL, 2)  # a replay of older history
    write_model(store, replace(MODEL, version="other", kind="rates", built_at=AT + timedelta(days=1)), 2)
    read = latest_model(store, "forest")
    assert read is not None
    assert (read.version, list(read.arrays)) == ("m2", ["a"])
    assert (latest_version(store, "forest"), latest_version(store, "none")) == ("m2", "")


def test_a_model_written_again_is_one_model(store: Store) -> None:
    write_model(store, MODEL, 1)
    write_model(store, replace(MODEL, arrays={"a": np.ones(3)}), 1)
    read = latest_model(store, "forest")
    assert read is not None
    assert list(read.arrays) == ["a"]


def test_none_before_the_first_and_nothing_without_arrays(store: Store) -> None:
    assert latest_model(store, "forest") is None
    with pytest.raises(ValueError, match="'m1' has no arrays"):
        write_model(store, replace(MODEL, arrays={}), 1)
