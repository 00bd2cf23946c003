"""Files of `timestamp,value`: what is in them is read as it is, results lie under the same relative paths."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from tpscope.series_files import find_series, read_series_file, write_result, written_times


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_keeps_its_relative_paths_and_results_are_csv(tmp_path: Path) -> None:
    written(tmp_path / "in/a.csv", "timestamp,value\n2026-03-01,1\n")
    (tmp_path / "in/deep/er").mkdir(parents=True)
    (tmp_path / "in/deep/er/b.csv.gz").write_bytes(gzip.compress(b"timestamp,value\n2026-03-01,2\n"))
    written(tmp_path / "in/notes.txt", "no series")
    files = find_series(tmp_path / "in")
    assert [str(file.relative) for file in files] == ["a.csv", "deep/er/b.csv"]
    assert [read_series_file(file.path).values[0] for file in files] == [1.0, 2.0]
    made = write_result(tmp_path / "out", files[1], pd.DataFrame({"timestamp": ["x"], "mean": [np.nan]}))
    assert made == tmp_path / "out/deep/er/b.csv"
    assert made.read_text() == "timestamp,mean\nx,\n"


def test_what_cannot_be_read_is_unknown_and_keeps_its_row(tmp_path: Path) -> None:
    rows = "2026-03-01 00:00:00,1,a\n2026-03-01T01:00:00,inf,b\nnonsense,3,c\n2026-03-01 02:00:00,,d\n2026-03-01 01:00:00,x,e\n"
    read = read_series_file(written(tmp_path / "a.csv", "\ufeffTimestamp,Value,Label\n" + rows))
    np.testing.assert_array_equal(read.values, [1.0, np.nan, 3.0, np.nan, np.nan])
    assert read.at.isna().tolist() == [False, False, True, False, False]
    assert read.stamps[2] == "nonsense"
    assert not read.zoned


@pytest.mark.parametrize(
    ("stamp", "zoned"),
    [
        ("2026-03-01T00:00:00Z", True),
        ("2026-03-01T02:00:00+02:00", True),
        ("2026-03-01 00:00:00", False),
        ("2026-03-01", False),
        ("1772323200", True),
        ("1772323200000", True),
        ("1772323200000000", True),
        ("1772323200000000000", True),
    ],
)
def test_times_are_read_with_and_without_a_zone_and_as_numbers(tmp_path: Path, stamp: str, zoned: bool) -> None:
    read = read_series_file(written(tmp_path / "a.csv", f"timestamp,value\n{stamp},1\n"))
    assert read.at[0] == pd.Timestamp("2026-03-01", tz="UTC")
    assert read.zoned == zoned
    assert written_times(read.at, zoned=zoned) == ["2026-03-01T00:00:00Z" if zoned else "2026-03-01T00:00:00"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("time,value\n1,2\n", "no column 'timestamp'"),
        ("timestamp,count\n1,2\n", "no column 'value'"),
        ("timestamp,value\nyesterday,2\n", "no time can be read, such as 'yesterday'"),
        ('timestamp,value\n"2026-03-01,2\n', "cannot be read as CSV"),
    ],
)
def test_one_line_says_what_is_wrong_with_a_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_series_file(written(tmp_path / "a.csv", text))
    assert "\n" not in str(caught.value)
    assert "a.csv" in str(caught.value)


def test_a_broken_archive_and_missing_paths_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_series_file(tmp_path / "a.csv.gz")
    with pytest.raises(ConfigError, match="is no file and no folder"):
        find_series(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no"):
        find_series(tmp_path / "empty")


def test_two_files_of_one_result_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "timestamp,value\n1,1\n")
    written(tmp_path / "a.csv.gz", "")
    with pytest.raises(ConfigError, match="same result"):
        find_series(tmp_path)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(st.text(max_size=12), st.text(max_size=8)), max_size=8))
def test_any_text_is_read_or_refused_in_one_line(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes("\n".join(["timestamp,value", *(",".join(row) for row in rows)]).encode("utf-8", "surrogatepass"))
    try:
        read = read_series_file(path)
    except ConfigError as refused:
        said, sizes = str(refused), set[int]()
    else:
        said, sizes = "", {len(read.at), len(read.values), len(read.stamps)}
        assert np.isfinite(read.values[~np.isnan(read.values)]).all()
    assert (str(path) in said and "\n" not in said) or len(sizes) == 1
