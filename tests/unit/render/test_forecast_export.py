"""Forecasts as files: the numbers without loss, and what they are, in every format; equal forecasts are equal files."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import openpyxl
import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.errors import ConfigError
from core.series import ALL_CALLS, Selector
from core.types import QUANTILE_COLUMNS, ForecastBacktest, ForecastRun
from render.forecast_export import FORMATS, ForecastItem, encode_forecasts
from render.forecast_png import HEIGHT, WIDTH

AT = datetime(2026, 3, 1, tzinfo=UTC)
RUN = ForecastRun(
    version="f1",
    made_at=AT,
    selector=ALL_CALLS,
    metric="tps",
    unit="calls/s",
    model="weekly profile + median of 4 weeks",
    step="1h",
    trained_from=AT - timedelta(days=60),
    trained_to=AT,
    error_mase=0.8,
    choice_version="c1",
    note="",
)
TEST = ForecastBacktest(
    version="b1",
    made_at=AT,
    metric="tps",
    selector=ALL_CALLS,
    horizon_h=168,
    origins=4,
    history_from=AT - timedelta(days=60),
    history_to=AT,
    mase=0.81,
    wql=0.1,
    wql95=0.05,
    coverage90=0.9,
    mean4_mase=0.85,
)


def item(run: ForecastRun = RUN, hours: int = 48) -> ForecastItem:
    frame = pd.DataFrame({"ts": pd.date_range(AT, periods=hours, freq="h", unit="ms"), "mean": np.arange(hours) / 3.0})
    for place, name in enumerate(QUANTILE_COLUMNS):
        frame[name] = frame["mean"] * (1.0 + 0.1 * (place - 3))
    return ForecastItem(run=run, frame=frame, backtests=[TEST])


SEVERAL = [
    item(),
    item(replace(RUN, selector=Selector.of(service='=HYPERLINK("x")'))),
    item(replace(RUN, metric="cost_per_h", unit="USD/h", note="7.0 days of history: less is known")),
]


def test_a_workbook_has_a_sheet_for_each_metric_with_a_chart_and_one_about_them() -> None:
    content = encode_forecasts(SEVERAL, "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["about", "tps", "cost_per_h"]
    assert [len(book[name]._charts) for name in book.sheetnames] == [0, 1, 1]
    table = pd.read_excel(io.BytesIO(content), sheet_name="tps")
    assert len(table) == 96
    np.testing.assert_allclose(table["q95"].to_numpy()[:48], SEVERAL[0].frame["q95"], rtol=1e-15)
    assert table["timestamp_utc"].iloc[0] == pd.Timestamp("2026-03-01")
    about = pd.read_excel(io.BytesIO(content), sheet_name="about", skiprows=5)
    assert about["model"].tolist() == [RUN.model] * 3
    assert about["unit"].tolist() == ["calls/s", "calls/s", "USD/h"]
    assert about["backtests"][0] == "168 h ahead: MASE 0.810, 90% within 90 %, 4 times"
    assert "2025-12-31T00:00:00Z to 2026-03-01T00:00:00Z" in about["trained_span"][0]
    assert not any(str(cell.value).startswith("=") for row in book["about"] for cell in row)


@pytest.mark.parametrize(
    ("hours", "form", "apart", "days"), [(672, "d mmm", 2, 28), (73, "d mmm", 1, 4), (1, "d mmm hh:mm", 0.25, 1)]
)
def test_a_chart_has_an_axis_of_times(hours: int, form: str, apart: float, days: int) -> None:
    book = openpyxl.load_workbook(io.BytesIO(encode_forecasts([item(hours=hours)], "xlsx")))
    (chart,) = book["tps"]._charts
    axis = chart.x_axis
    assert (axis.numFmt.formatCode, axis.majorUnit, axis.scaling.max - axis.scaling.min) == (form, apart, days)
    assert openpyxl.utils.datetime.from_excel(axis.scaling.min) == AT.replace(tzinfo=None)
    assert [one.tx.v for one in chart.series] == ["5 %", "median", "95 %"]


def test_tables_of_one_and_of_several_carry_where_they_come_from() -> None:
    text = encode_forecasts([item()], "csv").decode()
    for line in ("# unit: calls/s", "# model_chosen_by: back-test c1", "# time_zone: UTC", "# quantiles: q05, q10"):
        assert line in text
    assert pd.read_csv(io.StringIO(text), comment="#")["q50"].iloc[3] == 1.0
    body = orjson.loads(encode_forecasts(SEVERAL, "json"))
    assert body["meta"]["units"] == "cost_per_h in USD/h, tps in calls/s"
    assert "not_known: 7.0 days of history" in body["meta"]["series_3"]
    assert len(body["rows"]) == 144
    table = pq.read_table(io.BytesIO(encode_forecasts(SEVERAL, "parquet")))
    assert table.num_rows == 144
    assert table.schema.metadata[b"tpscope.series"] == b"3"


def test_a_page_stands_alone_and_escapes_what_it_shows() -> None:
    page = encode_forecasts([SEVERAL[1], SEVERAL[0]], "html").decode()
    assert "src=" not in page.split("<h2>")[0]
    assert "<h2>tps: service =HYPERLINK(&quot;x&quot;)</h2>" in page
    assert page.count('id="forecast-') == 2
    assert "weekly profile + median of 4 weeks" in page


@pytest.mark.parametrize("fmt", FORMATS)
def test_equal_forecasts_are_equal_files(fmt: str) -> None:
    assert encode_forecasts([item()], fmt) == encode_forecasts([item()], fmt)


def test_a_picture_is_of_one_forecast() -> None:
    picture = Image.open(io.BytesIO(encode_forecasts([item(hours=672)], "png")))
    assert picture.size == (WIDTH, HEIGHT)
    colours = picture.convert("RGB").getcolors(WIDTH * HEIGHT)
    assert colours is not None
    assert len(colours) > 50
    with pytest.raises(ConfigError, match="is a picture of one forecast, and there are 3"):
        encode_forecasts(SEVERAL, "png")


def test_another_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"x\.pdf: has no format .*'pdf'.*csv, json, parquet, xlsx, html, png"):
        encode_forecasts([item()], "PDF", where="x.pdf")
