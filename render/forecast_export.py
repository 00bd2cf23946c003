"""Forecasts as files to take away: tables, workbooks, pages that stand alone, pictures. The same bytes for whoever asks.

Each says what it holds, in which unit and zone, from which history and by which model it was made, and how wrong that was. A
workbook has a sheet called `about`, and one for each metric, with a chart of its first series.
"""

import html
import io
import math
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pandas as pd

from core.errors import ConfigError, NotInstalledError
from core.types import QUANTILE_COLUMNS, ForecastBacktest, ForecastRun
from render.export import CONTENT_TYPES, encode_table, forecast_meta, forecast_table, spreadsheet_cells
from render.figures import forecast_fan
from render.forecast_png import draw_forecast
from render.parts import Line, Span
from render.theme import theme_of

FORMATS = ("csv", "json", "parquet", "xlsx", "html", "png")
FORECAST_CONTENT_TYPES = {**CONTENT_TYPES, "html": "text/html; charset=utf-8", "png": "image/png"}
_MOST_CHARTS = 40
"""A page of more series shows the first ones; the tables hold all."""
_FIRST_ROW, _CHART_COLUMN, _CHART_TICKS = 2, "P", 14
_LEAST_DAYS, _DAYS_BY_HOUR = 1.0 / 24.0, 2.0
_LINES = {"q05": ("5 %", "8FB8DE"), "q50": ("median", "0B5FA5"), "q95": ("95 %", "8FB8DE")}
_WIDEST = 60
"""Widest column of a sheet, in characters."""
_LINE_EMU = 15_000
"""Width of lines; 12,700 are a point."""
_SPREADSHEET_EPOCH = pd.Timestamp("1899-12-30")
"""Day 0 of spreadsheets, for every date after February 1900."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastItem:
    """One forecast with its frame (`ts`, `mean` and the columns of `QUANTILE_COLUMNS`) and the back-tests of its series."""

    run: ForecastRun
    frame: pd.DataFrame
    backtests: Sequence[ForecastBacktest] = field(default=())


def encode_forecasts(items: Sequence[ForecastItem], fmt: str, *, where: str = "format") -> bytes:
    """The bytes of a file of one or more forecasts; `fmt` is one of `FORMATS`.

    Raises ConfigError for another format, naming `where`, and NotInstalledError for xlsx without openpyxl.
    """
    fmt = fmt.lower()
    if fmt not in FORMATS:
        raise ConfigError(where, f"has no format that can be written ({fmt!r}); use one of {', '.join(FORMATS)}")
    if fmt == "xlsx":
        return _workbook(items)
    if fmt == "html":
        return _page(items)
    if fmt == "png":
        return _picture(items, where)
    return encode_table(_table(items), fmt, _meta(items), where=where)


def _picture(items: Sequence[ForecastItem], where: str) -> bytes:
    """One forecast's fan; of several there is no picture that could be read."""
    if len(items) > 1:
        raise ConfigError(
            where, f"is a picture of one forecast, and there are {len(items)}; choose one with --metric and --selector"
        )
    return draw_forecast(items[0].run, items[0].frame)


def _table(items: Sequence[ForecastItem]) -> pd.DataFrame:
    return pd.concat([forecast_table(one.run, one.frame) for one in items], ignore_index=True)


def _meta(items: Sequence[ForecastItem]) -> dict[str, str]:
    """Of one series all that is known of it; of several what they have in common, and a line for each."""
    if len(items) == 1:
        return {**forecast_meta(items[0].run), **_more(items[0])}
    runs = [one.run for one in items]
    return {
        "content": "forecasts",
        "series": str(len(items)),
        "units": ", ".join(sorted({f"{run.metric} in {run.unit}" for run in runs})),
        "quantiles": ", ".join(QUANTILE_COLUMNS),
        **{f"series_{number}": _line(one) for number, one in enumerate(items, start=1)},
    }


def _more(item: ForecastItem) -> dict[str, str]:
    more = {"quantiles": ", ".join(QUANTILE_COLUMNS)}
    if item.run.choice_version:
        more["model_chosen_by"] = f"back-test {item.run.choice_version}"
    if item.run.note:
        more["not_known"] = item.run.note
    if item.backtests:
        more["backtests"] = "; ".join(_backtest_words(one) for one in item.backtests)
    return more


def _backtest_words(one: ForecastBacktest) -> str:
    error = f"MASE {one.mase:.3f}" if one.mase == one.mase else "MASE unknown"
    return f"{one.horizon_h} h ahead: {error}, {one.coverage90:.0%} within 90 %, {one.origins} times"


def _line(item: ForecastItem) -> str:
    return "; ".join(f"{key}: {value}" for key, value in _facts(item).items() if value != "")


def _facts(item: ForecastItem) -> dict[str, str]:
    meta = forecast_meta(item.run)
    names = ("metric", "selector", "unit", "model", "trained_span", "backtest_mase", "made_at", "version")
    return {**{name: meta[name] for name in names}, **_more(item)}


def _workbook(items: Sequence[ForecastItem]) -> bytes:
    if find_spec("openpyxl") is None:
        raise NotInstalledError("the XLSX writer (openpyxl)", "xlsx")
    book = import_module("openpyxl").Workbook(write_only=True)
    _about_sheet(book, items)
    for metric in dict.fromkeys(one.run.metric for one in items):
        _metric_sheet(book, metric, [one for one in items if one.run.metric == metric])
    newest = max(one.run.made_at for one in items).astimezone(UTC).replace(tzinfo=None)
    book.properties.created = book.properties.modified = newest
    content = io.BytesIO()
    book.save(content)
    return _without_clock(content.getvalue(), newest)


def _about_sheet(book: Any, items: Sequence[ForecastItem]) -> None:
    names = list(dict.fromkeys(name for one in items for name in _facts(one)))
    head = [["made_by", "tpscope"], ["content", "forecasts, a sheet for each metric"], ["time_zone", "UTC"]]
    rows = [*head, ["quantiles", ", ".join(QUANTILE_COLUMNS)], [], names]
    rows += [spreadsheet_cells([facts.get(name, "") for name in names]) for facts in map(_facts, items)]
    sheet, letter = book.create_sheet("about"), import_module("openpyxl.utils").get_column_letter
    _fit_to_page(sheet)
    for index in range(len(names)):
        longest = max(len(str(row[index])) for row in rows if len(row) > index)
        sheet.column_dimensions[letter(index + 1)].width = min(longest + 2, _WIDEST)
    for row in rows:
        sheet.append(row)


def _metric_sheet(book: Any, metric: str, items: Sequence[ForecastItem]) -> None:
    table = _table(items)
    sheet = book.create_sheet(metric[:31])
    sheet.freeze_panes = f"A{_FIRST_ROW}"
    _fit_to_page(sheet)
    for column, width in (("A", 18), ("C", 30), ("M", 44)):
        sheet.column_dimensions[column].width = width
    _chart(sheet, list(table.columns), items[0])
    sheet.append([str(name) for name in table.columns])
    for row in zip(*(spreadsheet_cells(table[name].tolist()) for name in table.columns), strict=True):
        sheet.append(row)


def _fit_to_page(sheet: Any) -> None:
    """Printed across, as wide as the page and as long as it gets."""
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _chart(sheet: Any, columns: list[str], item: ForecastItem) -> None:
    """Median and 90 % range of the sheet's first series over time.

    A scatter chart, since only that has an axis of times: the categories of a line chart are labelled as each program likes.
    """
    charts = import_module("openpyxl.chart")
    chart = charts.ScatterChart()
    chart.title = f"{item.run.metric}, {item.run.selector.words}"
    chart.height, chart.width, chart.style, chart.scatterStyle, chart.legend.position = 10, 24, 13, "lineMarker", "b"
    chart.y_axis.title, chart.x_axis.title = item.run.unit, "UTC"
    chart.y_axis.delete, chart.x_axis.delete, chart.x_axis.majorGridlines = False, False, None
    _time_axis(chart.x_axis, item.frame["ts"])
    last = len(item.frame) + _FIRST_ROW - 1
    times = charts.Reference(sheet, min_col=1, min_row=_FIRST_ROW, max_row=last)
    for name, (words, colour) in _LINES.items():
        place = columns.index(name) + 1
        values = charts.Reference(sheet, min_col=place, min_row=_FIRST_ROW, max_row=last)
        series = charts.Series(values, times, title=words)
        series.smooth, series.marker.symbol = False, "none"
        series.graphicalProperties.line.solidFill, series.graphicalProperties.line.width = colour, _LINE_EMU
        chart.series.append(series)
    sheet.add_chart(chart, f"{_CHART_COLUMN}2")


def _time_axis(axis: Any, times: pd.Series) -> None:
    """From the first day on, with marks a whole number of days apart, of hours where the forecast is short."""
    first, last = (pd.Timestamp(at).tz_convert(None) for at in (times.iloc[0], times.iloc[-1]))
    days = max((last - first) / pd.Timedelta(days=1), _LEAST_DAYS)
    short = days <= _DAYS_BY_HOUR
    axis.number_format = "d mmm hh:mm" if short else "d mmm"
    axis.majorUnit = 0.25 if short else max(round(days / _CHART_TICKS), 1)
    start = (first.floor("D") - _SPREADSHEET_EPOCH).days
    axis.scaling.min, axis.scaling.max = start, start + math.ceil((last - first.floor("D")) / pd.Timedelta(days=1) + 1e-9)


def _without_clock(content: bytes, at: datetime) -> bytes:
    """The same archive with one time on all its parts: equal forecasts are equal files."""
    result = io.BytesIO()
    stamp = (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second)
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "docProps/core.xml":
                text = _at(text, at)
            new.writestr(zipfile.ZipInfo(name, stamp), text, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def _at(properties: bytes, at: datetime) -> bytes:
    """openpyxl writes the time of saving into the properties, whatever was asked for."""
    moment = f"{at:%Y-%m-%dT%H:%M:%SZ}".encode()
    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, properties)


def _page(items: Sequence[ForecastItem]) -> bytes:
    """A page with nothing to load: Plotly is inside it once."""
    parts = [_section(one, number) for number, one in enumerate(items[:_MOST_CHARTS])]
    left = len(items) - len(parts)
    if left > 0:
        parts.append(f"<p>{left} more series are in the tables (CSV, XLSX).</p>")
    style = (
        "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:70em}dt{color:#5c6b7a;float:left}dd{margin:0 0 0 12em}"
    )
    title = "tpscope: forecasts"
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{style}</style><h1>{title}</h1>"
    return (text + "<p>Times are UTC.</p>" + "".join(parts) + "</html>\n").encode()


def _section(item: ForecastItem, number: int) -> str:
    run, frame = item.run, item.frame
    span = Span(start=frame["ts"].iloc[0], end=frame["ts"].iloc[-1])
    nothing = pd.DataFrame({"ts": frame["ts"].iloc[:0], "value": frame["mean"].iloc[:0]})
    figure = forecast_fan(Line(name="observed", frame=nothing), frame, span, run.unit, theme_of("light"))
    plot: Callable[..., str] = figure.to_html
    drawn = plot(full_html=False, include_plotlyjs=number == 0, div_id=f"forecast-{number}", default_height="360px")
    facts: Mapping[str, str] = _facts(item)
    rows = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items() if value)
    return f"<h2>{html.escape(run.metric)}: {html.escape(run.selector.words)}</h2>{drawn}<dl>{rows}</dl>"
