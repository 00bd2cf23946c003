"""Tables as files that people take away: CSV, JSON, Parquet or XLSX, each with its units and where the numbers come from.

CSV starts with comment lines (`# key: value`), JSON has a `meta` object beside `rows`, Parquet keeps the same in its schema's
metadata, and XLSX on a second sheet called `about`. Times are UTC in all of them.
"""

import csv
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ConfigError, NotInstalledError
from core.types import QUANTILE_COLUMNS, ForecastRun

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that starts with one of these is a formula to spreadsheets (OWASP, CSV injection)."""

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML may have (XML 1.0, 2.2): a workbook with it cannot be written, or not be opened."""


def write_table(frame: pd.DataFrame, path: Path, meta: Mapping[str, str]) -> None:
    """Write `frame` to `path` in the format of its suffix; the file appears whole or not at all.

    Raises
    ------
    ConfigError
        For a suffix that is none of .csv, .json, .parquet, .xlsx, or a folder that cannot be written.
    NotInstalledError
        For .xlsx without openpyxl.
    """
    write_whole(encode_table(frame, path.suffix.removeprefix("."), meta, where=str(path)), path)


def write_whole(content: bytes, path: Path) -> None:
    """Write a file that appears whole or not at all. Raises ConfigError for a folder that cannot be written."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with scratch.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise ConfigError(str(path), f"cannot be written ({error.strerror}); choose another place") from error


def encode_table(frame: pd.DataFrame, fmt: str, meta: Mapping[str, str], *, where: str = "format") -> bytes:
    """The bytes of such a file; `fmt` is csv, json, parquet or xlsx. Raises as `write_table` does, naming `where`."""
    encoder = _ENCODERS.get(fmt.lower())
    if encoder is None:
        raise ConfigError(where, f"has no format that can be written ({fmt!r}); use .csv, .json, .parquet or .xlsx")
    return encoder(frame, table_meta(meta))


def table_meta(meta: Mapping[str, str]) -> dict[str, str]:
    """What stands beside the rows in every form: the given, and who made it."""
    return {"made_by": "tpscope", **meta, "time_zone": "UTC"}


def forecast_table(run: ForecastRun, frame: pd.DataFrame) -> pd.DataFrame:
    """A forecast as people read it: `timestamp_utc, metric, selector, unit, mean, q05, …, q95, model`."""
    columns: dict[str, Any] = {
        "timestamp_utc": frame["ts"],
        "metric": run.metric,
        "selector": str(run.selector),
        "unit": run.unit,
        "mean": frame["mean"],
    }
    columns |= {name: frame[name] for name in QUANTILE_COLUMNS}
    columns["model"] = run.model
    return pd.DataFrame(columns)


def forecast_meta(run: ForecastRun) -> dict[str, str]:
    """Where a forecast's numbers come from, for the head of its file."""
    known = run.error_mase == run.error_mase
    return {
        "content": "forecast",
        "metric": run.metric,
        "selector": str(run.selector) or "all calls",
        "unit": run.unit,
        "step": run.step,
        "model": run.model,
        "version": run.version,
        "trained_span": f"{_iso(run.trained_from)} to {_iso(run.trained_to)}",
        "backtest_mase": f"{run.error_mase:.4f} (below 1: better than repeating last week)" if known else "too little history",
        "made_at": _iso(run.made_at),
    }


def spreadsheet_cells(values: Sequence[Any]) -> list[Any]:
    """Values as a spreadsheet may have them: times without a zone (they are UTC), no text that would be run as a formula."""
    return [_xlsx_cell(value) for value in values]


def csv_head(frame: pd.DataFrame, meta: Mapping[str, str]) -> bytes:
    """The comments and the line of names that a CSV file begins with."""
    text = io.StringIO(newline="")
    for key, value in meta.items():
        text.write(f"# {key}: {' '.join(str(value).split())}\n")
    csv.writer(text, lineterminator="\n").writerow(frame.columns)
    return text.getvalue().encode()


def csv_rows(frame: pd.DataFrame) -> bytes:
    """The rows of a CSV file; a text that a spreadsheet would run as a formula is quoted."""
    text = io.StringIO(newline="")
    columns = [_cells(frame[name], _csv_cell) for name in frame.columns]
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them: unknown is null, times are RFC 3339."""
    columns = {str(name): _cells(frame[name], _json_cell) for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def spreadsheet_rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The rows as a spreadsheet has them: times without a zone, no formulas."""
    return zip(*(_cells(frame[name], _xlsx_cell) for name in frame.columns), strict=True)


def _csv(frame: pd.DataFrame, meta: Mapping[str, str]) -> bytes:
    return csv_head(frame, meta) + csv_rows(frame)


def _json(frame: pd.DataFrame, meta: Mapping[str, str]) -> bytes:
    rows = json_rows(frame)
    return orjson.dumps({"meta": dict(meta), "rows": rows}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _parquet(frame: pd.DataFrame, meta: Mapping[str, str]) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({f"tpscope.{key}": value for key, value in meta.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _xlsx(frame: pd.DataFrame, meta: Mapping[str, str]) -> bytes:
    if find_spec("openpyxl") is None:
        raise NotInstalledError("the XLSX writer (openpyxl)", "xlsx")
    book = import_module("openpyxl").Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.freeze_panes = "A2"
    sheet.append([str(name) for name in frame.columns])
    for row in spreadsheet_rows(frame):
        sheet.append(row)
    about = book.create_sheet("about")
    for key, value in meta.items():
        about.append([key, _xlsx_cell(value)])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


_ENCODERS: dict[str, Callable[[pd.DataFrame, Mapping[str, str]], bytes]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "xlsx": _xlsx,
}


def _cells(column: pd.Series, convert: Callable[[Any], Any]) -> list[Any]:
    return [convert(value) for value in column.tolist()]


def _csv_cell(value: Any) -> Any:
    if _unknown(value):
        return ""
    if isinstance(value, datetime):
        return _iso(value)
    return _harmless(value) if isinstance(value, str) else value


def _json_cell(value: Any) -> Any:
    if _unknown(value):
        return None
    return _iso(value) if isinstance(value, datetime) else value


def _xlsx_cell(value: Any) -> Any:
    """Excel knows no zones: UTC is said in the header."""
    if _unknown(value):
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return _NO_XML.sub("\ufffd", _harmless(value)) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _unknown(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)


def _iso(moment: datetime) -> str:
    """`2026-03-01T14:00:00Z`, with milliseconds only where there are any."""
    utc = moment.astimezone(UTC)
    precision = "milliseconds" if utc.microsecond else "seconds"
    return utc.isoformat(timespec=precision).replace("+00:00", "Z")
