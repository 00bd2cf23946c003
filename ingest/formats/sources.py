"""Where a column's values come from: JSON paths, the first that leads to a value, templates, differences of two times.

A path names object keys and list items by number, parted by dots; `*` is any key or item, the first under which the rest
leads to a value. A record that has the whole path as one key (CSV headers and OpenTelemetry attributes such as `http.route`)
is read by that. What no path finds is unknown. Null, the empty text and `-` are no value: the next path is asked.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.config import FieldSource
from core.record import LATENCIES
from ingest.formats import conversions
from ingest.formats.attributes import text_of
from ingest.formats.times import UNIT_MS, time_ns
from ingest.formats.values import number, quote
from ingest.formats.values import text as plain_text

Column = Sequence[Any]
Columns = dict[str, Column]

_HOLE = re.compile(r"\{([^{}]*)\}")
_TRUE = frozenset({"true", "1", "yes"})
_STEP = "\x00"  # stands in no key of a mapping, so that a step is never taken for a top-level key
_CLEARLY_NS = 10**17
"""From here on a number is read as nanoseconds, whatever stands beside it in its column."""


class Path:
    """A dotted path, ready to be read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._parts = path.split(".")

    @property
    def keys(self) -> tuple[str, ...]:
        """The top-level keys that it reads."""
        return (self._path,) if len(self._parts) == 1 else (self._path, self._parts[0])

    def of(self, record: dict[str, Any]) -> Any:
        """What it leads to in one record."""
        whole = record.get(self._path)
        return whole if whole is not None or len(self._parts) == 1 else _walk(record, self._parts)

    def read(self, by_key: Columns) -> Column:
        """What it leads to in each record; the whole path's value where a record has it as one key."""
        flat = by_key[self._path]
        if len(self._parts) == 1:
            return flat
        found = self._below(by_key)
        if found is None:
            return flat
        if set(map(type, flat)) <= {type(None)}:
            return found
        return [deep if whole is None else whole for deep, whole in zip(found, flat, strict=True)]

    def _below(self, by_key: Columns) -> Column | None:
        """What the parts lead to, one after another; None where no record has the first. Every step is remembered."""
        column = by_key[self._parts[0]]
        if set(map(type, column)) <= {type(None)}:
            return None
        for place, part in enumerate(self._parts[1:], 1):
            if part == "*":
                rest = self._parts[place:]
                return [None if one is None else _walk(one, rest) for one in column]
            step = _STEP.join(self._parts[: place + 1])
            known = by_key.get(step)
            if known is None:
                known = [one.get(part) if type(one) is dict else _walk(one, (part,)) for one in column]
                by_key[step] = known
            column = known
        return column


class Source:
    """One `FieldSource`, ready to be read. `among` others it gives its values in the column's own unit."""

    def __init__(self, target: str, mapping: FieldSource, *, among: bool = False) -> None:
        self._mapping = mapping
        self._paths = [Path(path) for path in wanted_paths(mapping)]
        self._since = [Path(path) for path in mapping.since]
        self._minus = Path(mapping.minus) if mapping.minus else None
        self._only_if = Path(mapping.only_if) if mapping.only_if else None
        self._pieces = _HOLE.split(mapping.template) if mapping.template else []
        self._factor = 1.0 if mapping.since else _factor(target, mapping)
        self._scales = among and target != "ts" and self._factor != 1
        self._times = target == "ts" and (bool(mapping.minus) or (among and bool(mapping.unit or mapping.time_format)))

    @property
    def keys(self) -> tuple[str, ...]:
        """The top-level keys that it reads."""
        others = [path for path in (self._minus, self._only_if) if path]
        return tuple(key for path in (*self._paths, *self._since, *others) for key in path.keys)

    @property
    def factor(self) -> float:
        """What the numbers have yet to be multiplied with."""
        return 1.0 if self._scales else self._factor

    @property
    def gives_times(self) -> bool:
        """Whether the times are read already: nanoseconds."""
        return self._times

    def read(self, by_key: Columns, length: int) -> Column:
        """The values of `length` records, converted and translated."""
        mapping = self._mapping
        found = self._template(by_key, length) if self._pieces else first_present(path.read(by_key) for path in self._paths)
        if mapping.convert:
            found = [conversions.apply(mapping.convert, value) for value in found]
        if mapping.values:
            found = [_translated(value, mapping.values) for value in found]
        if mapping.present is not None:
            found = [None if is_missing(value) else mapping.present for value in found]
        if self._since:
            starts = first_present(path.read(by_key) for path in self._since)
            found = [_between(start, end, mapping.unit) for start, end in zip(starts, found, strict=True)]
        if self._times:
            found = self._as_times(found, by_key)
        if self._scales:
            found = [_scaled(value, self._factor) for value in found]
        if self._only_if:
            flags = self._only_if.read(by_key)
            found = [value if _is_true(flag) else None for value, flag in zip(found, flags, strict=True)]
        return found

    def _template(self, by_key: Columns, length: int) -> Column:
        parts = [path.read(by_key) for path in self._paths]
        return [_filled(self._pieces, holes) for holes in zip(*parts, strict=True)] if parts else [None] * length

    def _as_times(self, ends: Column, by_key: Columns) -> Column:
        unit, time_format = self._mapping.unit, self._mapping.time_format
        if self._minus is None:
            return [_time(end, None, 0.0, unit, time_format) for end in ends]
        factor = UNIT_MS[self._mapping.minus_unit]
        lengths = self._minus.read(by_key)
        return [_time(end, length, factor, unit, time_format) for end, length in zip(ends, lengths, strict=True)]


def first_present(columns: Iterable[Column]) -> Column:
    """Of several columns the first value of each record that is one; the later ones are made only where needed."""
    found: Column = ()
    for place, others in enumerate(columns):
        if place == 0:
            found = others
        else:  # as `is_missing` says, written out: this is half of what a mapping does
            found = [two if one is None or one == "" or one == "-" else one for one, two in zip(found, others, strict=True)]
        if None not in found and "" not in found and "-" not in found:
            break
    return found


def is_missing(value: Any) -> bool:
    """Whether a record says nothing there."""
    return value is None or (isinstance(value, str) and value in ("", "-"))


def wanted_paths(mapping: FieldSource) -> tuple[str, ...]:
    """The paths that its values are looked for at."""
    if mapping.template is not None:
        return tuple(_HOLE.findall(mapping.template))
    return mapping.paths or ((mapping.path,) if mapping.path is not None else ())


def _factor(target: str, mapping: FieldSource) -> float:
    factor = mapping.scale if mapping.scale is not None else 1.0
    return factor * UNIT_MS[mapping.unit] if mapping.unit and target in LATENCIES else factor


def _walk(value: Any, rest: Sequence[str]) -> Any:
    for place, part in enumerate(rest):
        if part == "*":
            return _under_any(value, rest[place + 1 :])
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdecimal() and len(part) < 9 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _under_any(value: Any, rest: Sequence[str]) -> Any:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for one in inner if not is_missing(found := _walk(one, rest))), None)


def _translated(value: Any, table: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return table.get(value, value)
    if value is None or isinstance(value, dict | list):
        return value
    return table.get(text_of(value), value)


def _filled(pieces: list[str], holes: tuple[Any, ...]) -> str | None:
    """The template's text; None where a part is unknown or no text."""
    if any(is_missing(hole) for hole in holes):
        return None
    try:
        texts = [plain_text(hole) for hole in holes]
    except ValueError:
        return None
    return "".join(texts[place // 2] if place % 2 else piece for place, piece in enumerate(pieces))


def _between(start: Any, end: Any, unit: str | None) -> float | None:
    """Milliseconds from start to end; unknown where one of them is no time, or where the clock went back."""
    if is_missing(start) or is_missing(end):
        return None
    try:
        nanoseconds = time_ns(end, unit) - time_ns(start, unit)
    except ValueError:
        return None
    return nanoseconds / 1e6 if nanoseconds >= 0 else None


def _time(end: Any, length: Any, factor: float, unit: str | None, time_format: str | None) -> Any:
    """A time as a number that is read as nanoseconds; what is none as a text that is none either."""
    if is_missing(end):
        return None
    try:
        found = time_ns(end, unit, time_format) - _nanoseconds(length, factor)
    except ValueError:
        return f"{quote(end)}, which is no time" if unit or time_format else end
    if found >= _CLEARLY_NS:
        return found
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found // 1_000)


def _nanoseconds(length: Any, factor: float) -> int:
    """A duration to go back by; none where it is unknown, and none that no call takes."""
    try:
        found = number(length)
    except ValueError:
        return 0
    return round(found * factor * 1e6) if found is not None and 0 < found * factor <= 1e10 else 0


def _scaled(value: Any, factor: float) -> Any:
    """A number in the column's unit; what is none comes back as it is."""
    try:
        found = number(value)
        return None if found is None else found * factor
    except (ValueError, OverflowError):
        return value


def _is_true(flag: Any) -> bool:
    return flag is True or (isinstance(flag, int) and flag == 1) or (isinstance(flag, str) and flag.strip().lower() in _TRUE)
