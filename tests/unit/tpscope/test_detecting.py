"""`tpscope detect` on files and folders."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import ConfigError
from tpscope.detecting import run_detect

COLUMNS = ["timestamp", "value", "score", "severity", "is_anomaly", "expected", "lower", "upper"]


def hours(points: int, spike: int | None = None) -> str:
    values = np.random.default_rng(1).normal(10.0, 1.0, points)
    if spike is not None:
        values[spike] = 30.0
    times = pd.date_range("2026-03-01", periods=points, freq="h")
    return "timestamp,value\n" + "".join(f"{time},{value:.3f}\n" for time, value in zip(times, values, strict=True))


def test_a_folder_is_judged_file_by_file_and_the_past_alone_decides(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    (source / "a.csv").write_text(hours(200, spike=150))
    (source / "deep" / "b.csv.gz").write_bytes(gzip.compress(hours(170, spike=150).encode()))
    assert run_detect(source, out, 1, as_json=False) == 0
    long, short = pd.read_csv(out / "a.csv"), pd.read_csv(out / "deep" / "b.csv")
    assert list(long.columns) == COLUMNS
    assert (len(long), len(short)) == (200, 170)
    assert list(np.flatnonzero(long["is_anomaly"])) == [150]
    np.testing.assert_array_equal(long["score"][:170], short["score"])
    assert long["value"].tolist() == pd.read_csv(source / "a.csv")["value"].tolist()


@pytest.mark.parametrize(
    "rows",
    [
        "", "2026-03-01,1\n", "2026-03-01,1\n2026-03-02,2\n2026-03-03,3\n", "2026-03-01,\n" * 40, "2026-03-01,5\n" * 40,
        "".join(f"2026-03-{40 - day:02d},{day}\n" for day in range(12, 40)),
    ],
)  # fmt: skip
def test_few_missing_constant_repeated_and_backward_points_bring_a_line_each(tmp_path: Path, rows: str) -> None:
    (tmp_path / "a.csv").write_text("timestamp,value\n" + rows)
    assert run_detect(tmp_path / "a.csv", tmp_path / "out", 1, as_json=False) == 0
    found = pd.read_csv(tmp_path / "out" / "a.csv")
    assert list(found.columns) == COLUMNS
    assert len(found) == rows.count("\n")
    assert not found["is_anomaly"].any()


def test_a_bad_file_is_named_and_the_others_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("timestamp,value\n2026-03-01,1\nsoon,2\n")
    (tmp_path / "b.csv").write_text(hours(50))
    assert run_detect(tmp_path, tmp_path / "out", 1, as_json=True) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"tpscope: {tmp_path / 'a.csv'}, line 3: timestamp 'soon' is no time")
    assert "1 series, 50 points, 0 alarms" in output.err
    assert [report["points"] for report in json.loads(output.out)] == [0, 50]
    assert not (tmp_path / "out" / "a.csv").exists()


def test_a_result_that_cannot_be_written_is_named_and_the_others_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(hours(30))
    (tmp_path / "out" / "a.csv").mkdir(parents=True)
    assert run_detect(tmp_path, tmp_path / "out", 1, as_json=False) == 2
    said = capsys.readouterr().err
    assert f"tpscope: {tmp_path / 'out' / 'a.csv'}: cannot be written" in said
    assert "1 series, 30 points" in said
    assert (tmp_path / "out" / "b.csv").is_file()


def test_what_is_read_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(hours(5))
    with pytest.raises(ConfigError, match="overwrite"):
        run_detect(tmp_path, tmp_path, 1, as_json=False)
    with pytest.raises(ConfigError, match="cannot be made a folder"):
        run_detect(tmp_path / "a.csv", tmp_path / "a.csv", 1, as_json=False)
