"""Record batches taken apart: against those that kafka-python builds and its own reading of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from ingest.batch import Partition, Slice
from ingest.lines import Lines
from ingest.record_batches import PackedPiece, PackedRecords, WholeBatches, joined, parse_records

AT = Partition("calls", 3)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
LONG = st.integers(8000, 20_000).map(lambda size: b"y" * size)  # three bytes of length, and compressible
VALUES = st.none() | st.binary(max_size=100) | LONG
KEYS = st.none() | st.binary(max_size=70)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=70)), max_size=1)
RECORDS = st.lists(st.tuples(st.integers(0, 2**45), KEYS, VALUES, HEADERS), min_size=1, max_size=12)


def packed(records: list[Any], codec: int = 0, base: int = 0) -> bytes:
    """The bytes of one record batch."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=codec, batch_size=10_000_000)
    for time, key, value, headers in records:
        builder.append(time, key, value, headers)
    builder.close()
    # The broker is who gives a batch its offset; the checksum leaves it out.
    return base.to_bytes(8, "big") + bytes(builder.buffer())[8:]


def pieces(data: bytes, fetch_offset: int = 0) -> list[PackedPiece]:
    """What kafka-python's reader of a fetched partition hands over."""
    reader = WholeBatches(fetch_offset, TopicPartition(*AT), MemoryRecords(data))
    taken = reader.take()
    assert all(isinstance(one.value, PackedRecords) for one in taken)
    return [PackedPiece(partition=AT, batch=one.value.batch, since=fetch_offset) for one in taken]


@settings(deadline=None, max_examples=60)
@given(RECORDS, st.sampled_from(sorted(CODECS.values())), st.integers(0, 2**40))
def test_every_record_is_found_as_kafka_python_finds_it(records: list[Any], codec: int, base: int) -> None:
    (piece,) = pieces(packed(records, codec, base))
    found = piece.unpack()
    assert (piece.first, piece.last, piece.records) == (base, base + len(records) - 1, len(records))
    assert found.offsets.tolist() == list(range(base, base + len(records)))  # type: ignore[union-attr]
    assert list(found.values) == [value or b"" for _, _, value, _ in records]
    assert found.times_ms is not None
    assert found.times_ms.tolist() == [time for time, *_ in records]
    again = piece.unpack()
    assert list(again.values) == list(found.values)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(KEYS, st.integers(-(2**31), 2**31), HEADERS), min_size=1, max_size=20))
def test_the_batch_itself_becomes_lines_of_json(records: list[Any]) -> None:
    values = [orjson.dumps({"number": number}) for _, number, _ in records]
    data = packed([(0, key, value, headers) for (key, _, headers), value in zip(records, values, strict=True)])
    lines = pieces(data)[0].unpack().values
    assert isinstance(lines, Lines)
    assert [orjson.loads(line) for line in bytes(lines.text).splitlines() if line.strip()] == [
        {"number": number} for _, number, _ in records
    ]


def test_reading_from_the_middle_of_a_batch_leaves_out_what_is_before() -> None:
    data = packed([(0, None, b"%d" % number, []) for number in range(5)], base=100)
    (piece,) = pieces(data, fetch_offset=103)
    assert (piece.first, piece.last, piece.records) == (103, 104, 2)
    assert list(piece.unpack().values) == [b"3", b"4"]
    assert pieces(data, fetch_offset=105) == []


def test_the_time_at_which_the_broker_appended_is_that_of_every_record() -> None:
    (piece,) = pieces(packed([(5, None, b"a", []), (9, None, b"b", [])]))
    batch = piece.batch
    stamped = SimpleNamespace(
        **{name: getattr(batch, name) for name in ("base_offset", "last_offset", "records_count", "_buffer", "_pos")},
        _maybe_uncompress=batch._maybe_uncompress,
        timestamp_type=1,
        max_timestamp=77,
    )
    times = PackedPiece(partition=AT, batch=stamped, since=0).unpack().times_ms
    assert times is not None
    assert times.tolist() == [77, 77]


def test_several_batches_are_joined_into_one_text() -> None:
    first, second = (
        pieces(packed([(0, b"k", b'{"a": 1}', []), (0, None, None, [])], base=base))[0].unpack() for base in (0, 2)
    )
    lines = joined([first, second])
    assert isinstance(lines, Lines)
    assert list(lines) == [b'{"a": 1}', b"", b'{"a": 1}', b""]
    single = Slice(partition=AT, offsets=[9], values=[b"x"])
    assert joined([first, single]) == [b'{"a": 1}', b"", b"x"]


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_batch_that_ends_early_is_told(cut: int) -> None:
    text = np.frombuffer(packed([(0, None, b"some value", [])] * 3), np.uint8, offset=61).copy()
    assert len(parse_records(text, 3).starts) == 3
    with pytest.raises(CorruptRecordError):
        parse_records(text[:-cut], 3)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 5))
def test_rubbish_is_told(data: bytes, count: int) -> None:
    text = np.frombuffer(bytearray(data), np.uint8)
    try:
        found = parse_records(text, count)
    except CorruptRecordError:
        return
    assert len(found.starts) == count
    assert all(0 <= start <= end <= len(data) for start, end in zip(found.starts, found.ends, strict=True))
