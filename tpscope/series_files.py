"""Files of `timestamp,value`: which there are, reading them with the line of what is wrong, and where results go.

Rows keep their order and number. A time without a zone is UTC; a number is read by its magnitude, as the call record's `ts` is.
Line numbers are exact unless a quoted field holds a line break.
"""

import gzip
import warnings
import zlib
from collections.abc import Sequence
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
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The years 1 and 10000, between which `datetime` can say what time it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFile:
    """A file that was found, and under which name its results are written: always `.csv`."""

    path: Path
    relative: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The rows of one file, in their order, without blank ones; arrays of shape (n_points,).

    Attributes
    ----------
    stamps, texts : ndarray of str
        Times and values as they were written, without the spaces around them.
    at : DatetimeIndex
        The times as `datetime64[us, UTC]`; every one is known.
    values : ndarray of float64
        NaN where a value is missing or infinite, finite elsewhere.
    zoned : bool
        Whether the first time was written with a zone (or as a number); else they were taken as UTC.
    """

    stamps: npt.NDArray[np.object_]
    texts: npt.NDArray[np.object_]
    at: pd.DatetimeIndex
    values: npt.NDArray[np.float64]
    zoned: bool

    @property
    def seconds(self) -> npt.NDArray[np.int64]:
        """Whole seconds since 1970, UTC."""
        return np.asarray(self.at.asi8 // 1_000_000, np.int64)


def find_series(target: Path) -> list[SeriesFile]:
    """The file, or every `.csv` and `.csv.gz` below the folder, sorted. Raises ConfigError where there is none, or where two
    would be written to one result."""
    if target.is_file():
        return [SeriesFile(path=target, relative=Path(_result_name(target.name)))]
    if not target.is_dir():
        raise ConfigError(str(target), "no such file or folder")
    paths = sorted(path for path in target.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
    if not paths:
        raise ConfigError(str(target), "holds no .csv or .csv.gz file")
    found: dict[Path, SeriesFile] = {}
    for path in paths:
        relative = path.relative_to(target).with_name(_result_name(path.name))
        if relative in found:
            raise ConfigError(str(path), f"would be written to the same file as {found[relative].path}; rename one of them")
        found[relative] = SeriesFile(path=path, relative=relative)
    return list(found.values())


def refuse_overwriting(files: Sequence[SeriesFile], out: Path) -> None:
    """Raise ConfigError where a result below `out` would replace what it was made from."""
    if any(file.path.resolve() == (out / file.relative).resolve() for file in files):
        raise ConfigError("--out", f"{str(out)!r} would overwrite what is read; name another folder")


def read_series_file(path: Path) -> Recorded:
    """Read one file; columns other than `timestamp` and `value` are ignored, upper and lower case are the same.

    Raises
    ------
    ConfigError
        One line that names the file and, for a time or value that is none, the line.
    """
    table = _table(path)
    columns = {str(name).strip().lower(): name for name in table.columns}
    missing = [name for name in ("timestamp", "value") if name not in columns]
    if missing:
        wrote = ",".join(map(str, table.columns))[:80]
        raise ConfigError(f"{path}, line 1", f"no column {' and no column '.join(missing)}: {wrote!r}; write timestamp,value")
    stamps = table[columns["timestamp"]].str.strip()
    texts = table[columns["value"]].str.strip()
    blank = (stamps == "") & (texts == "")
    stamps, texts = stamps[~blank], texts[~blank]
    return Recorded(
        stamps=stamps.to_numpy(object),
        texts=texts.to_numpy(object),
        at=_times(path, stamps),
        values=_values(path, texts),
        zoned=len(stamps) > 0 and _zoned(stamps.iloc[0]),
    )


def write_result(out: Path, file: SeriesFile, table: pd.DataFrame, *, digits: int = 10) -> Path:
    """Write the table under the file's relative path below `out`; unknown values are empty. Raises ConfigError."""
    target = out / file.relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(target, index=False, float_format=f"%.{digits}g", lineterminator="\n")
    except OSError as error:
        raise ConfigError(str(target), f"cannot be written ({error.strerror}); choose another place") from error
    return target


def written_times(at: pd.DatetimeIndex, *, zoned: bool) -> list[str]:
    """Times as ISO 8601, with `Z` where those of the input had a zone."""
    whole = bool((at == at.floor("s")).all())
    return [str(text) for text in at.strftime(f"%Y-%m-%dT%H:%M:%S{'' if whole else '.%f'}{'Z' if zoned else ''}")]


def _result_name(name: str) -> str:
    return f"{name.removesuffix('.gz').removesuffix('.csv')}.csv"


def _table(path: Path) -> pd.DataFrame:
    """All as text, one row a line after the first, blank lines kept so that lines can be counted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of fields beyond the header's: they have no name
            return pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                index_col=False,
                encoding="utf-8-sig",
                compression="gzip" if path.name.endswith(".gz") else None,
            ).fillna("")
    except pd.errors.EmptyDataError:
        raise ConfigError(f"{path}, line 1", "is empty; the first line must be timestamp,value") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is no UTF-8 text; save it as CSV in UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ConfigError(str(path), "is no complete gzip file") from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        problem = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ConfigError(str(path), f"is no table: {' '.join(problem.split())}") from None


def _values(path: Path, texts: "pd.Series[str]") -> npt.NDArray[np.float64]:
    numbers = _numbers(texts)
    odd = np.isnan(numbers) & ~texts.str.lower().isin(_WORDS_FOR_NOTHING).to_numpy()
    if odd.any():
        where, text = _first(path, texts, odd)
        raise ConfigError(where, f"value {text!r} is no number; leave it empty where it is unknown")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _times(path: Path, stamps: "pd.Series[str]") -> pd.DatetimeIndex:
    numbers = _numbers(stamps)
    micros = _micros(numbers)
    written = np.isnan(numbers)
    if written.any():
        dated = stamps[written].where(stamps[written].str.match("[0-9]"))  # pandas takes "now" and "today" for times
        read = pd.to_datetime(dated, format="ISO8601", utc=True, errors="coerce")
        micros[written] = pd.DatetimeIndex(read).as_unit("us").asi8
    odd = (micros < _FIRST_US) | (micros >= _LAST_US)  # NaT is the least of all numbers
    if odd.any():
        where, text = _first(path, stamps, odd)
        raise ConfigError(where, f"timestamp {text!r} is no time; write for example 2026-03-01T00:00:00Z or seconds since 1970")
    return pd.DatetimeIndex(micros.astype("datetime64[us]"), tz="UTC")


def _micros(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Microseconds since 1970 of numbers by their magnitude; what is no number or beyond all years is `_LAST_US`."""
    size = np.abs(numbers)
    with np.errstate(over="ignore"):
        micros = np.select(
            [size < _MILLIS, size < _MICROS, size < _NANOS], [numbers * 1e6, numbers * 1e3, numbers], numbers / 1e3
        )
    return np.floor(np.where(np.abs(micros) < _LAST_US, micros, _LAST_US)).astype(np.int64)


def _numbers(texts: "pd.Series[str]") -> npt.NDArray[np.float64]:
    return pd.to_numeric(texts, errors="coerce").to_numpy(float)


def _zoned(stamp: str) -> bool:
    """Whether there is a zone behind the date, or a number, which counts from 1970 in UTC."""
    zone = stamp.endswith(("Z", "z")) or "+" in stamp[10:] or "-" in stamp[10:]
    return zone or bool(pd.notna(pd.to_numeric(stamp, errors="coerce")))


def _first(path: Path, column: "pd.Series[str]", odd: npt.NDArray[np.bool_]) -> tuple[str, str]:
    """The file and line of the first odd one, and what is written there."""
    at = int(np.flatnonzero(odd)[0])
    return f"{path}, line {int(column.index[at]) + 2}", str(column.iloc[at])
