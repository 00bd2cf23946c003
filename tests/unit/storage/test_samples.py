import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pytest

from ingest.samples import decode_samples, located_samples
from storage.contract import Store
from storage.samples import insert_samples, read_samples, sample_names
from tests.support.data import shared_data

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
"""Lately: older samples than retention allows go as soon as parts merge."""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def sample(second: float, value: float, name: str = "depth", **labels: str) -> bytes:
    return orjson.dumps({"ts": at(second).isoformat(), "name": name, "value": value, "labels": labels})


def read(store: Store, name: str = "depth", minutes: float = 10, step_s: int = 60, **options: Any) -> pd.DataFrame:
    return read_samples(store, name, START, START + timedelta(minutes=minutes), step_s, **options)


def write(store: Store, *values: bytes, token: str | None = None) -> None:
    found = decode_samples(values)
    assert not found.rejects
    insert_samples(store, located_samples(found, "samples", 0, range(len(values)), START), token=token)


def test_values_are_folded_in_time_then_over_the_sets_of_labels(store: Store) -> None:
    write(
        store,
        *(sample(second, value, pool="a", node="1") for second, value in ((0, 2), (30, 4), (65, 10))),
        sample(10, 5, pool="a", node="2"),
        sample(20, 7, pool="b", node="3"),
        sample(20, 99, name="cpu"),
    )
    frame = read(store)
    assert list(frame.columns) == ["ts", "value", "samples"]
    assert list(frame["ts"]) == [START, START + timedelta(minutes=1)]
    assert list(frame["value"]) == [3 + 5 + 7, 10]
    assert list(frame["samples"]) == [4, 1]
    assert list(read(store, within="max", across="max")["value"]) == [7, 10]
    assert list(read(store, within="last", across="min")["value"]) == [4, 10]
    by_pool = read(store, by=("pool",))
    assert list(zip(by_pool["pool"], by_pool["value"], strict=True)) == [("a", 8), ("a", 10), ("b", 7)]
    assert list(read(store, labels={"pool": "a", "node": "1"})["value"]) == [3, 10]
    assert list(read(store, labels={"pool": "x"}).columns) == ["ts", "value", "samples"]
    assert list(read(store, by=("rack",))["rack"]) == ["", ""]
    assert sample_names(store, START, START + timedelta(hours=1)) == ["cpu", "depth"]
    assert sample_names(store, START + timedelta(hours=1), START + timedelta(hours=2)) == []


def test_a_repeat_under_the_same_token_writes_nothing(store: Store) -> None:
    for _ in range(2):
        write(store, sample(0, 1), token="samples:0:0-0")
    assert list(read(store)["samples"]) == [1]


def test_labels_and_names_may_be_any_text(store: Store) -> None:
    write(store, sample(0, 1, name="a'b", **{"x']": "'; DROP TABLE samples --"}))
    assert list(read(store, "a'b", labels={"x']": "'; DROP TABLE samples --"})["value"]) == [1]


def test_what_does_not_fit_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="'ts' is missing"):
        insert_samples(store, pa.table({"name": ["x"]}))
    with pytest.raises(ValueError, match="at least 1 s"):
        read(store, step_s=0)


def test_the_queues_of_a_real_gateway(store: Store) -> None:
    """Queue lengths and response times, as its containers reported them."""
    folder = shared_data("genai_gateway")
    expected = {}
    for name, file in (("queue_size", "queue_size_raw_anon"), ("queue_rt", "queue_rt_raw_anon")):
        with gzip.open(folder / f"{file}.csv.gz", "rt") as lines:
            raw = pd.read_csv(lines, dtype={"container_ip": "str"}, keep_default_na=False)
        raw["timestamp_anon"] += (int(START.timestamp()) - raw["timestamp_anon"].max()) // 3600 * 3600  # whole hours
        records = raw.rename(columns={"timestamp_anon": "ts"}).assign(name=name).to_json(orient="records", lines=True)
        write(store, *records.encode().splitlines())
        expected[name] = raw.assign(hour=raw["timestamp_anon"] // 3600 * 3600)
    for name, raw in expected.items():
        first, last = (pd.Timestamp(raw["timestamp_anon"].agg(edge), unit="s", tz="UTC") for edge in ("min", "max"))
        found = read_samples(
            store, name, first.to_pydatetime(), last.to_pydatetime() + timedelta(seconds=1), 3600, by=("container_ip",)
        )
        wanted = raw.groupby(["container_ip", "hour"])["value"].agg(["mean", "size"])
        assert list(found["samples"]) == list(wanted["size"])
        assert found["samples"].sum() == len(raw)
        assert found["value"].to_numpy() == pytest.approx(wanted["mean"].to_numpy())
        added = read_samples(store, name, first.to_pydatetime(), last.to_pydatetime() + timedelta(seconds=1), 3600)
        assert added["value"].to_numpy() == pytest.approx(wanted["mean"].groupby("hour").sum().to_numpy())
