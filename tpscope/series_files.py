"""Files of `timestamp,value`: one, or a folder of them, read as they are; results go under the same relative paths.

Rows keep their order and number. A time without a zone is UTC; a number is read by its magnitude, as the call record's `ts` is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import ConfigError

_SUFFIXES = (".csv", ".csv.gz")
_EPOCH_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
"""Below the first figure a number is seconds (milliseconds, microseconds), times the second figure in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFile:
    """A file that was found, and under which name its results are written: always `.csv`."""

    path: Path
    relative: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The rows of one file, in their order.

    Attributes
    ----------
    stamps : ndarray of str
        The times as they were written.
    at : DatetimeIndex
        The same as `datetime64[us, UTC]`, NaT where it cannot be read.
    values : ndarray of float64
        NaN where the value is empty, no number or not finite.
    zoned : bool
        Whether the times were written with a zone (or as a number); else they were taken as UTC.
    """

    stamps: npt.NDArray[np.object_]
    at: pd.DatetimeIndex
    values: npt.NDArray[np.float64]
    zoned: bool


def find_series(target: Path) -> list[SeriesFile]:
    """The file, or every `.csv` and `.csv.gz` below the folder, sorted. Raises ConfigError where there is none, or where two
    would be written to one result."""
    if target.is_file():
        return [SeriesFile(path=target, relative=Path(_result_name(target.name)))]
    if not target.is_dir():
        raise ConfigError(str(target), "is no file and no folder")
    paths = sorted(path for path in target.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
    if not paths:
        raise ConfigError(str(target), "holds no .csv or .csv.gz file")
    files = [SeriesFile(path=path, relative=path.relative_to(target).with_name(_result_name(path.name))) for path in paths]
    for first, second in _twins(files):
        raise ConfigError(str(second), f"has the same result as {first.name}; rename one of them")
    return files


def read_series_file(path: Path) -> Recorded:
    """Read one file; columns other than `timestamp` and `value` are ignored. Raises ConfigError that names file and trouble."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise ConfigError(str(path), "is empty; a header `timestamp,value` and rows are needed") from None
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(str(path), f"cannot be read as CSV ({str(error).splitlines()[0]})") from error
    columns = {str(name).strip().lower(): name for name in table.columns}
    for name in ("timestamp", "value"):
        if name not in columns:
            raise ConfigError(str(path), f"has no column {name!r}; a header `timestamp,value` is needed")
    stamps = table[columns["timestamp"]].to_numpy(dtype=object)
    at, zoned = _times(stamps)
    if len(stamps) and at.isna().all():
        raise ConfigError(str(path), f"no time can be read, such as {stamps[0]!r}; write for example 2026-03-01T00:00:00Z")
    values = pd.to_numeric(table[columns["value"]], errors="coerce").to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    return Recorded(stamps=stamps, at=at, values=values, zoned=zoned)


def write_result(out: Path, file: SeriesFile, table: pd.DataFrame) -> Path:
    """Write the table under the file's relative path below `out`; unknown values are empty. Raises ConfigError."""
    target = out / file.relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(target, index=False, float_format="%.10g", lineterminator="\n")
    except OSError as error:
        raise ConfigError(str(target), f"cannot be written ({error.strerror}); choose another place") from error
    return target


def written_times(at: pd.DatetimeIndex, *, zoned: bool) -> list[str]:
    """Times as ISO 8601, with `Z` where those of the input had a zone."""
    whole = bool((at == at.floor("s")).all())
    return [str(text) for text in at.strftime(f"%Y-%m-%dT%H:%M:%S{'' if whole else '.%f'}{'Z' if zoned else ''}")]


def _result_name(name: str) -> str:
    return name.removesuffix(".gz")


def _twins(files: list[SeriesFile]) -> Iterator[tuple[Path, Path]]:
    seen: dict[Path, Path] = {}
    for file in files:
        if file.relative in seen:
            yield seen[file.relative], file.path
        seen[file.relative] = file.path


def _times(stamps: npt.NDArray[np.object_]) -> tuple[pd.DatetimeIndex, bool]:
    numbers = pd.to_numeric(pd.Series(stamps, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    if len(stamps) and np.isfinite(numbers).mean() > 0.5:
        return pd.DatetimeIndex(_of_numbers(numbers), tz="UTC"), True
    at = pd.to_datetime(pd.Series(stamps, dtype=object), format="ISO8601", utc=True, errors="coerce")
    first = next((str(text).strip() for text in stamps if str(text).strip()), "")
    zoned = first.endswith(("Z", "z")) or "+" in first[10:] or "-" in first[10:]
    return pd.DatetimeIndex(at).as_unit("us"), zoned


def _of_numbers(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.datetime64]:
    """Microseconds since 1970; what is not finite or beyond every year becomes NaT."""
    size = np.abs(numbers)
    micros = numbers / 1e3
    for limit, factor in reversed(_EPOCH_UNITS):
        micros = np.where(size < limit, numbers * factor, micros)
    known = np.isfinite(micros) & (np.abs(micros) < 2.5e17)
    at = np.where(known, micros, 0.0).astype(np.int64).astype("datetime64[us]")
    at[~known] = np.datetime64("NaT")
    return at
