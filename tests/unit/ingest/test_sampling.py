"""Samples of files: the first, the last and some between."""

import gzip
from pathlib import Path

import pytest

from core.errors import ConfigError
from ingest.rows import Unreadable
from ingest.sampling import sample_file


def ndjson(folder: Path, rows: int) -> Path:
    path = folder / "calls.ndjson"
    path.write_bytes(b"".join(b'{"n":%d}\n' % number for number in range(rows)))
    return path


def test_a_small_file_is_taken_as_a_whole(tmp_path: Path) -> None:
    sample = sample_file(ndjson(tmp_path, 7), 30)
    assert sample.values == tuple(b'{"n":%d}' % number for number in range(7))
    assert (sample.seen, sample.note) == (7, "")


def test_the_first_the_last_and_some_between(tmp_path: Path) -> None:
    sample = sample_file(ndjson(tmp_path, 10_000), 30)
    numbers = [int(value[5:-1]) for value in sample.values if isinstance(value, bytes)]
    assert numbers[:10] == list(range(10))
    assert numbers[-10:] == list(range(9_990, 10_000))
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 30
    assert max(numbers[10:20]) - min(numbers[10:20]) > 3_000
    assert sample_file(ndjson(tmp_path, 10_000), 30) == sample
    assert sample.seen == 10_000


def test_a_long_file_is_left_after_some_time(tmp_path: Path) -> None:
    sample = sample_file(ndjson(tmp_path, 10_000), 30, time_s=0.0)
    assert sample.seen == 256
    assert sample.note == "looked at the first 256 rows, which took 0 s"


def test_a_file_that_is_damaged_further_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.ndjson.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"n":%d}\n' % number for number in range(200_000)), 1)[:-20])
    sample = sample_file(path, 9)
    assert len(sample.values) == 9
    assert "the compressed data are damaged" in sample.note


def test_a_row_that_cannot_be_read_is_in_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("a,b\n1,2\n3\n")
    assert isinstance(sample_file(path, 9).values[1], Unreadable)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("calls.txt", b"", "is of no known kind; its name must end with .ndjson, .jsonl, .json, .csv, .parquet"),
        ("calls.parquet", b"no parquet", "it is no Parquet file"),
        ("calls.csv", b"a,a\n1,2\n", "its header names 'a' twice"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        sample_file(tmp_path / name, 9)
