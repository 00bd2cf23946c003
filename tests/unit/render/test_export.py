"""Files that people take away: units and provenance in each format, and whole or not at all."""

import csv
import json
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from core.errors import ConfigError, NotInstalledError
from core.series import Selector
from core.types import QUANTILE_COLUMNS, ForecastRun
from render import export
from render.export import encode_table, forecast_meta, forecast_table, write_table

META = {"metric": "tps", "unit": "calls/s"}
TIMES = pd.date_range("2026-03-01", periods=2, freq="h", tz="UTC")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"timestamp_utc": TIMES, "value": [1.5, np.nan], "label": ["=1+1", "plain"], "calls": [3, 4]})


def run(error_mase: float = 0.72) -> ForecastRun:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return ForecastRun(
        version="f-1",
        made_at=moment,
        selector=Selector.of(service="chat"),
        metric="tps",
        unit="calls/s",
        model="seasonal",
        step="1h",
        trained_from=moment,
        trained_to=moment,
        error_mase=error_mase,
    )


def test_csv_has_provenance_above_a_header(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_table(table, path, META)
    lines = path.read_text().splitlines()
    assert lines[:4] == ["# made_by: tpscope", "# metric: tps", "# unit: calls/s", "# time_zone: UTC"]
    rows = list(csv.reader(lines[4:]))
    assert rows[0] == ["timestamp_utc", "value", "label", "calls"]
    assert rows[1] == ["2026-03-01T00:00:00Z", "1.5", "'=1+1", "3"]
    assert rows[2] == ["2026-03-01T01:00:00Z", "", "plain", "4"]


def test_a_line_break_in_the_provenance_stays_a_comment(table: pd.DataFrame) -> None:
    text = encode_table(table, "csv", {"model": "a\nb"}).decode()
    assert "# model: a b\n" in text


def test_json_has_null_for_unknown(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_table(table, path, META)
    body = json.loads(path.read_text())
    assert body["meta"]["unit"] == "calls/s"
    assert body["rows"][1] == {"timestamp_utc": "2026-03-01T01:00:00Z", "value": None, "label": "plain", "calls": 4}


def test_parquet_keeps_types_and_provenance(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_table(table, path, META)
    read = pq.read_table(path)
    assert read.schema.metadata[b"tpscope.unit"] == b"calls/s"
    assert str(read.schema.field("timestamp_utc").type).endswith("tz=UTC]")
    assert read.column("calls").to_pylist() == [3, 4]


def test_xlsx_has_a_sheet_about_itself_and_no_formulas(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    write_table(table, path, META)
    book = openpyxl.load_workbook(path)
    assert [cell.value for cell in book["data"][1]] == ["timestamp_utc", "value", "label", "calls"]
    first = book["data"][2]
    assert (first[0].value, first[1].value, first[2].value) == (datetime(2026, 3, 1), 1.5, "'=1+1")  # noqa: DTZ001
    assert book["data"][3][1].value is None
    assert ["unit", "calls/s"] in [[cell.value for cell in row] for row in book["about"].rows]


def test_without_openpyxl_the_extra_is_named(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "openpyxl" else find_spec(name))
    with pytest.raises(NotInstalledError, match=r"pip install 'tpscope\[xlsx\]'"):
        encode_table(table, "xlsx", META)


@pytest.mark.parametrize("name", ["x.pdf", "x"])
def test_an_unknown_format_is_named(table: pd.DataFrame, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"use \.csv, \.json, \.parquet or \.xlsx"):
        write_table(table, tmp_path / name, META)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_table(table, tmp_path / "missing" / "x.csv", META)
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_table(table, tmp_path / "x.csv", META)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.csv"]


def test_a_repeat_replaces_the_file(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_table(table, path, META)
    write_table(table.head(1), path, META)
    assert len(json.loads(path.read_text())["rows"]) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_table_has_its_header(table: pd.DataFrame) -> None:
    assert encode_table(table.head(0), "csv", {}).decode().splitlines()[-1] == "timestamp_utc,value,label,calls"
    assert json.loads(encode_table(table.head(0), "json", {}))["rows"] == []


def test_a_forecast_has_units_quantiles_and_its_model() -> None:
    frame = pd.DataFrame({"ts": TIMES, "mean": [1.0, 2.0], **{name: [1.0, 2.0] for name in QUANTILE_COLUMNS}})
    table = forecast_table(run(), frame)
    assert list(table.columns) == ["timestamp_utc", "metric", "selector", "unit", "mean", *QUANTILE_COLUMNS, "model"]
    assert table["selector"].tolist() == ['service="chat"'] * 2
    assert table["unit"].unique().tolist() == ["calls/s"]


def test_a_forecast_says_where_it_comes_from() -> None:
    meta = forecast_meta(run())
    assert meta["trained_span"] == "2026-03-01T00:00:00Z to 2026-03-01T00:00:00Z"
    assert meta["backtest_mase"].startswith("0.7200")
    assert forecast_meta(run(float("nan")))["backtest_mase"] == "too little history"
