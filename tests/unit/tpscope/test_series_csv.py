"""Files of timestamp,value: what can be read, and the one line about what cannot."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from tpscope.series_csv import find_series, read_series

MARCH_S = 1_772_323_200
"""2026-03-01T00:00:00Z."""


def write(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01T00:00:00Z", "2026-03-01 00:00:00", "2026-03-01T01:00:00+01:00", "2026-03-01",
        str(MARCH_S), f"{MARCH_S}000", f"{MARCH_S}000000", f"{MARCH_S}000000000", f"{MARCH_S}.5",
    ],
)  # fmt: skip
def test_times_are_read_as_text_and_as_numbers_by_magnitude(tmp_path: Path, time: str) -> None:
    series = read_series(write(tmp_path, f"timestamp,value\n{time},1\n"))
    assert list(series.seconds) == [MARCH_S]
    assert list(series.times) == [time]


def test_other_columns_upper_case_and_missing_values_are_no_problem(tmp_path: Path) -> None:
    text = "﻿TimeStamp,Label,Value\n2026-03-01,0,1.5\n2026-03-02,0,\n2026-03-03,1,NaN\n2026-03-04,0,null\n2026-03-05,0,-inf\n\n"
    values = read_series(write(tmp_path, text)).values
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan, np.nan, -np.inf])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: is empty"),
        ("time,value\n1,2\n", "line 1: no column timestamp"),
        ("a,b\n1,2\n", "line 1: no column timestamp and no column value"),
        ("timestamp,value\n2026-03-01,1\n2026-03-02,many\n", "line 3: value 'many' is no number"),
        ("timestamp,value\n2026-03-01,1\n\nyesterday,2\n", "line 4: timestamp 'yesterday' is no time"),
        ("timestamp,value\n2026-03-01,1\n1e300,2\n", "line 3: timestamp '1e300' is no time"),
        ("timestamp,value\n2026-03-01,1\n,2\n", "line 3: timestamp '' is no time"),
        ('timestamp,value\n"2026-03-01,1\n', "is no table"),
    ],
)
def test_bad_input_is_one_line_with_the_file_and_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_series(write(tmp_path, text))
    assert said in str(error.value)
    assert "a.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_gzip_and_no_text_is_said(tmp_path: Path) -> None:
    for name, content in (("a.csv.gz", b"timestamp,value\n"), ("b.csv.gz", gzip.compress(b"timestamp")[:-4])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="gzip"):
            read_series(tmp_path / name)
    (tmp_path / "c.csv").write_bytes(b"timestamp,value\n\xff\xfe,1\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_series(tmp_path / "c.csv")


def test_a_folder_keeps_relative_paths_and_outputs_are_csv(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv.gz", "deep/er/c.csv", "deep/notes.txt"):
        (tmp_path / name).touch()
    assert [str(output) for _, output in find_series(tmp_path)] == ["a.csv", "deep/b.csv", "deep/er/c.csv"]
    assert [str(output) for _, output in find_series(tmp_path / "deep" / "b.csv.gz")] == ["b.csv"]
    (tmp_path / "a.csv.gz").touch()
    with pytest.raises(ConfigError, match="same file"):
        find_series(tmp_path)
    with pytest.raises(ConfigError, match="no such"):
        find_series(tmp_path / "nothing")


@given(st.text(alphabet='0123456789-:.,TZ \n"eanif', max_size=80))
@settings(max_examples=60, deadline=None)
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path, said = write(tmp_path_factory.getbasetemp(), f"timestamp,value\n{text}", "any.csv"), ""
    try:
        series = read_series(path)
    except ConfigError as error:
        said = str(error)
    assert "\n" not in said
    assert said or len(series.times) == len(series.texts) == len(series.seconds) == len(series.values)
