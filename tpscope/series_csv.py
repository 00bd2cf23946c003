"""Files of `timestamp,value`: which there are, reading them with the line of what is wrong, writing what was found."""

import gzip
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import ConfigError

_SUFFIXES = (".csv", ".csv.gz")
_WORDS_FOR_NOTHING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_MILLIS, _MICROS, _NANOS = 1e11, 1e14, 1e17
"""From these magnitudes on a number is no longer a time in seconds, in milliseconds, in microseconds."""
_LATEST_S = 253_402_300_800.0
"""The year 10000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFile:
    """One series as it was read; arrays of shape (n_points,).

    Attributes
    ----------
    times, texts : ndarray of str
        Timestamps and values as they were written.
    seconds : ndarray of int
        Since 1970, UTC.
    values : ndarray of float
        NaN where a value is missing; infinities stay.
    """

    times: npt.NDArray[np.object_]
    texts: npt.NDArray[np.object_]
    seconds: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def find_series(source: Path) -> list[tuple[Path, Path]]:
    """The file, or all `.csv` and `.csv.gz` below a folder, each with the relative path of its output (always `.csv`)."""
    if source.is_file():
        return [(source, Path(_plain(source.name)))]
    if not source.is_dir():
        raise ConfigError(str(source), "no such file or folder")
    found = sorted(path for path in source.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
    if not found:
        raise ConfigError(str(source), "holds no .csv or .csv.gz file")
    outputs: dict[Path, Path] = {}
    for path in found:
        output = path.relative_to(source).with_name(_plain(path.name))
        if output in outputs:
            raise ConfigError(str(path), f"would be written to the same file as {outputs[output]}; rename one of them")
        outputs[output] = path
    return [(path, output) for output, path in outputs.items()]


def read_series(path: Path) -> SeriesFile:
    """Read one file; columns beyond `timestamp` and `value` are ignored, upper and lower case are the same.

    Raises
    ------
    ConfigError
        One line that names the file and the line.
    """
    frame = _frame(path)
    columns = {str(name).strip().lower(): name for name in frame.columns}
    missing = [name for name in ("timestamp", "value") if name not in columns]
    if missing:
        wrote = ",".join(map(str, frame.columns))[:80]
        raise ConfigError(f"{path}, line 1", f"no column {' and no column '.join(missing)}: {wrote!r}; write timestamp,value")
    times = frame[columns["timestamp"]].str.strip()
    texts = frame[columns["value"]].str.strip()
    blank = (times == "") & (texts == "")
    times, texts = times[~blank], texts[~blank]
    return SeriesFile(
        times=times.to_numpy(object),
        texts=texts.to_numpy(object),
        seconds=_seconds(path, times),
        values=_values(path, texts),
    )


def _plain(name: str) -> str:
    return f"{name.removesuffix('.gz').removesuffix('.csv')}.csv"


def _frame(path: Path) -> pd.DataFrame:
    """All as text, one row a line after the first, blank lines kept so that lines can be counted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of empty fields beyond the header's: nothing is lost
            return pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8-sig",
                compression="gzip" if path.name.endswith(".gz") else None,
            ).fillna("")
    except pd.errors.EmptyDataError:
        raise ConfigError(f"{path}, line 1", "is empty; the first line must be timestamp,value") from None
    except pd.errors.ParserError as error:
        problem = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ConfigError(str(path), f"is no table: {problem}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is no UTF-8 text; save it as CSV in UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ConfigError(str(path), "is no complete gzip file") from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None


def _values(path: Path, texts: "pd.Series[str]") -> npt.NDArray[np.float64]:
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(float)
    odd = np.isnan(numbers) & ~texts.str.lower().isin(_WORDS_FOR_NOTHING).to_numpy()
    if odd.any():
        at = int(np.flatnonzero(odd)[0])
        raise ConfigError(_line(path, texts, at), f"value {texts.iloc[at]!r} is no number; leave it empty where it is unknown")
    return numbers


def _seconds(path: Path, times: "pd.Series[str]") -> npt.NDArray[np.int64]:
    numbers = pd.to_numeric(times, errors="coerce").to_numpy(float)
    size = np.abs(numbers)
    unit = np.select([size < _MILLIS, size < _MICROS, size < _NANOS], [1.0, 1e3, 1e6], 1e9)
    seconds = numbers / unit
    written = np.isnan(numbers)
    if written.any():
        read = pd.to_datetime(times[written], format="ISO8601", utc=True, errors="coerce")
        since = (read - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        seconds[written] = since.to_numpy(float)
    odd = ~(np.abs(seconds) < _LATEST_S)
    if odd.any():
        at = int(np.flatnonzero(odd)[0])
        problem = f"timestamp {times.iloc[at]!r} is no time; write for example 2026-03-01T00:00:00Z or seconds since 1970"
        raise ConfigError(_line(path, times, at), problem)
    return np.asarray(np.floor(seconds), np.int64)


def _line(path: Path, column: "pd.Series[str]", at: int) -> str:
    return f"{path}, line {int(column.index[at]) + 2}"
