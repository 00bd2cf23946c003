"""Files of `timestamp,value`: what can be read, the one line about what cannot, and where results lie."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from tpscope.series_files import (
    SeriesFile,
    find_series,
    read_series_file,
    refuse_overwriting,
    write_result,
    written_times,
)

MARCH_S = 1_772_323_200
"""2026-03-01T00:00:00Z."""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_keeps_its_relative_paths_and_results_are_csv(tmp_path: Path) -> None:
    written(tmp_path / "in/a.csv", "timestamp,value\n2026-03-01,1\n")
    (tmp_path / "in/deep/er").mkdir(parents=True)
    (tmp_path / "in/deep/er/b.csv.gz").write_bytes(gzip.compress(b"timestamp,value\n2026-03-01,2\n"))
    written(tmp_path / "in/deep/c.csv", "timestamp,value\n2026-03-01,3\n")
    written(tmp_path / "in/deep/notes.txt", "no series")
    files = find_series(tmp_path / "in")
    assert [str(file.relative) for file in files] == ["a.csv", "deep/c.csv", "deep/er/b.csv"]
    assert [read_series_file(file.path).values[0] for file in files] == [1.0, 3.0, 2.0]
    made = write_result(
        tmp_path / "out", files[2], pd.DataFrame({"timestamp": ["x"], "mean": [np.nan], "score": [1 / 3]}), digits=9
    )
    assert made == tmp_path / "out/deep/er/b.csv"
    assert made.read_text() == "timestamp,mean,score\nx,,0.333333333\n"


@pytest.mark.parametrize(
    ("name", "result"), [("b.csv.gz", "b.csv"), ("b.csv", "b.csv"), ("b.gz", "b.csv"), ("b.txt", "b.txt.csv")]
)
def test_a_single_file_of_any_name_has_a_csv_result(tmp_path: Path, name: str, result: str) -> None:
    (tmp_path / name).touch()
    assert find_series(tmp_path / name) == [SeriesFile(path=tmp_path / name, relative=Path(result))]


def test_two_files_of_one_result_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "timestamp,value\n1,1\n")
    written(tmp_path / "a.csv.gz", "")
    with pytest.raises(ConfigError, match=r"a\.csv\.gz: would be written to the same file as .*a\.csv; rename"):
        find_series(tmp_path)


def test_missing_paths_and_empty_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        find_series(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no"):
        find_series(tmp_path / "empty")


def test_results_never_replace_what_is_read_and_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    files = find_series(written(tmp_path / "a.csv", "timestamp,value\n1,1\n"))
    refuse_overwriting(files, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"--out: .* would overwrite what is read"):
        refuse_overwriting(files, tmp_path / "out" / "..")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_result(tmp_path / "a.csv", files[0], pd.DataFrame())


@pytest.mark.parametrize(
    ("stamp", "zoned"),
    [
        ("2026-03-01T00:00:00Z", True),
        ("2026-03-01T02:00:00+02:00", True),
        ("2026-02-28T19:00:00-05:00", True),
        ("2026-03-01 00:00:00", False),
        ("2026-03-01", False),
        (f"{MARCH_S}", True),
        (f"{MARCH_S}000", True),
        (f"{MARCH_S}000000", True),
        (f"{MARCH_S}000000000", True),
    ],
)
def test_times_are_read_with_and_without_a_zone_and_as_numbers(tmp_path: Path, stamp: str, zoned: bool) -> None:
    read = read_series_file(written(tmp_path / "a.csv", f"timestamp,value\n{stamp},1\n"))
    assert read.at[0] == pd.Timestamp("2026-03-01", tz="UTC")
    assert read.at.dtype == "datetime64[us, UTC]"
    assert read.seconds.tolist() == [MARCH_S]
    assert read.stamps.tolist() == [stamp]
    assert read.zoned == zoned
    assert written_times(read.at, zoned=zoned) == ["2026-03-01T00:00:00Z" if zoned else "2026-03-01T00:00:00"]


def test_parts_of_a_second_are_kept_and_seconds_are_whole_ones_before(tmp_path: Path) -> None:
    rows = f"{MARCH_S}.5,1\n2026-03-01T00:00:00.250000999,1\n-0.5,1\n1969-12-31T23:59:59.5,1\n"
    read = read_series_file(written(tmp_path / "a.csv", "timestamp,value\n" + rows))
    assert read.at.asi8.tolist() == [MARCH_S * 1_000_000 + 500_000, MARCH_S * 1_000_000 + 250_000, -500_000, -500_000]
    assert read.seconds.tolist() == [MARCH_S, MARCH_S, -1, -1]


def test_the_first_and_the_last_year_are_times(tmp_path: Path) -> None:
    rows = "0001-01-01,1\n9999-12-31T23:59:59Z,2\n"
    read = read_series_file(written(tmp_path / "a.csv", "timestamp,value\n" + rows))
    assert read.seconds.tolist() == [-62_135_596_800, 253_402_300_799]


def test_rows_are_kept_as_written_and_what_is_missing_or_infinite_is_unknown(tmp_path: Path) -> None:
    rows = (
        "2026-03-01 00:00:00,1.5,a\n 2026-03-01T01:00:00 , inf,b\n\n2026-03-01 02:00:00,,d\n,,\n   \n"
        '2026-03-01 01:00:00, "-7" ,e\n2026-03-02,NaN,\n2026-03-03,null\n2026-03-04,-inf,\n2026-03-05,N/A,\n2026-03-06,-,\n'
        "2026-03-07,None,\n2026-03-08,1e400,\n2026-03-09\n"
    )
    read = read_series_file(written(tmp_path / "a.csv", "\ufeffTimeStamp, Value ,Label\n" + rows))
    np.testing.assert_array_equal(read.values, [1.5, np.nan, np.nan, -7.0, *[np.nan] * 8])
    assert read.texts.tolist() == ["1.5", "inf", "", "-7", "NaN", "null", "-inf", "N/A", "-", "None", "1e400", ""]
    assert read.stamps[:4].tolist() == [
        "2026-03-01 00:00:00", "2026-03-01T01:00:00", "2026-03-01 02:00:00", "2026-03-01 01:00:00",
    ]  # fmt: skip
    assert (read.at[:4].hour.tolist(), read.at[4:].day.tolist()) == ([0, 1, 2, 1], [2, 3, 4, 5, 6, 7, 8, 9])
    assert not read.zoned


def test_a_header_alone_is_a_series_of_no_points(tmp_path: Path) -> None:
    read = read_series_file(written(tmp_path / "a.csv", "timestamp,value"))
    assert len(read.at) == len(read.values) == len(read.seconds) == len(read.stamps) == len(read.texts) == 0
    assert read.at.dtype == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: is empty; the first line must be timestamp,value"),
        ("time,value\n1,2\n", "line 1: no column timestamp: 'time,value'"),
        ("timestamp,count\n1,2\n", "line 1: no column value"),
        ("a,b\n1,2\n", "line 1: no column timestamp and no column value"),
        ("timestamp,value\nyesterday,2\n", "line 2: timestamp 'yesterday' is no time; write for example 2026-03-01T00:00:00Z"),
        ("timestamp,value\n2026-03-01,1\n2026-03-02,many\n", "line 3: value 'many' is no number"),
        ("timestamp,value\n2026-03-01,1\n\nyesterday,2\n", "line 4: timestamp 'yesterday' is no time"),
        ("timestamp,value\n2026-03-01,1\n1e300,2\n", "line 3: timestamp '1e300' is no time"),
        ("timestamp,value\n2026-03-01,1\n1e308,2\n", "line 3: timestamp '1e308' is no time"),
        ("timestamp,value\n2026-03-01,1\ninf,2\n", "line 3: timestamp 'inf' is no time"),
        ("timestamp,value\n2026-03-01,1\n,2\n", "line 3: timestamp '' is no time"),
        ("timestamp,value\n2026-03-01,1\nnow,2\n", "line 3: timestamp 'now' is no time"),
        ("timestamp,value\n2026-03-01,1\n2026-02-30,2\n", "line 3: timestamp '2026-02-30' is no time"),
        ("timestamp,value\n-99999999999,1\n", "line 2: timestamp '-99999999999' is no time"),
        ("timestamp,value\n1,1\n253402300800000000000,1\n", "line 3: timestamp '253402300800000000000' is no time"),
        ('timestamp,value\n"2026-03-01,1\n', "is no table"),
        ("timestamp,value\n2026-03-01,1\n2026-03-01,1,2\n", "is no table: Expected 2 fields in line 3, saw 3"),
    ],
)
def test_one_line_says_what_is_wrong_with_a_file_and_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_series_file(written(tmp_path / "a.csv", text))
    assert said in str(caught.value)
    assert str(tmp_path / "a.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_gzip_no_text_and_no_file_is_said(tmp_path: Path) -> None:
    whole = gzip.compress(b"timestamp,value\n" + b"2026-03-01,1\n" * 50)
    contents = {"a": b"timestamp,value\n", "b": whole[:-4], "c": whole[:12] + b"\xff" * 20 + whole[32:]}
    for name, content in contents.items():
        (tmp_path / f"{name}.csv.gz").write_bytes(content)
        with pytest.raises(ConfigError, match=rf"{name}\.csv\.gz: is no complete gzip file"):
            read_series_file(tmp_path / f"{name}.csv.gz")
    (tmp_path / "c.csv").write_bytes(b"timestamp,value\n\xff\xfe,1\n")
    with pytest.raises(ConfigError, match="is no UTF-8 text"):
        read_series_file(tmp_path / "c.csv")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_series_file(tmp_path / "d.csv")


ROWS = st.lists(st.tuples(st.text(max_size=12), st.text(max_size=8)), max_size=8)
NEARLY_RIGHT = st.text(alphabet='0123456789-:.,TZ \n"eanif', max_size=80)


@settings(deadline=None, max_examples=120)
@given(text=st.one_of(NEARLY_RIGHT, ROWS.map(lambda rows: "\n".join(",".join(row) for row in rows))))
def test_any_text_is_read_or_refused_in_one_line(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path, said = tmp_path_factory.getbasetemp() / "any.csv", ""
    path.write_bytes(f"timestamp,value\n{text}".encode("utf-8", "surrogatepass"))
    try:
        read = read_series_file(path)
    except ConfigError as refused:
        said = str(refused)
    else:
        assert len(read.stamps) == len(read.texts) == len(read.at) == len(read.seconds) == len(read.values)
        assert np.isfinite(read.values[~np.isnan(read.values)]).all()
        assert read.at.notna().all()
    assert said == "" or (str(path) in said and "\n" not in said)
