"""`tpscope`: the call record itself as JSON, one object a message. What it does not know goes into `attributes`."""

from collections.abc import Sequence
from typing import Any

import orjson

from core.record import RECORD_SCHEMA
from ingest.formats.arrow_attributes import WITHIN
from ingest.formats.attributes import add_attributes, attributes_array
from ingest.formats.base import Decoded, ObjectFormat, Objects
from ingest.formats.columns import Converted, convert
from ingest.formats.segments import Shapes, decode_in_columns
from ingest.formats.times import time_column
from ingest.formats.values import quote
from ingest.lines import Lines

_NAMES = tuple(RECORD_SCHEMA.names)
_BLANK: dict[str, Any] = dict.fromkeys(_NAMES)


class NativeFormat(ObjectFormat):
    """Columns by their own names. `attributes` is an object (or, as exports write it, its JSON text).

    Records are read in columns where that is the same. Which fields to expect is remembered from one batch to the next; that
    decides how fast a batch is read, and never what comes out.
    """

    name = "tpscope"

    def __init__(self) -> None:
        self._shapes = Shapes()

    def decode(self, values: Sequence[bytes]) -> Decoded:
        return decode_in_columns(Lines.of(values), self._shapes, self.decode_exactly)

    def decode_exactly(self, values: Sequence[bytes]) -> Decoded:
        """As `decode`, one record after another."""
        return super().decode(values)

    def columns(self, objects: Objects) -> list[Converted]:
        # The record laid over a blank one: known columns come first and in order, unknown fields after them.
        laid = [_BLANK | record for record in objects]
        by_name = (
            dict(zip(_NAMES, zip(*(record.values() for record in laid), strict=False), strict=False)) if laid else _NO_ROWS
        )
        ts, bad_ts = time_column(by_name["ts"])
        middle = [convert(name, by_name[name]) for name in _NAMES[1:-1]]
        return [Converted(array=ts, bad=bad_ts), *middle, _attributes(by_name["attributes"], laid)]


_NO_ROWS: dict[str, tuple[Any, ...]] = dict.fromkeys(_NAMES, ())


def _attributes(given: tuple[Any, ...], laid: list[dict[str, Any]]) -> Converted:
    known = len(_NAMES)
    if set(map(type, given)) <= {type(None)} and set(map(len, laid)) <= {known}:
        return Converted(array=attributes_array((), len(laid)))
    rows: list[dict[str, str] | None] = []
    bad: dict[int, str] = {}
    for place, (value, record) in enumerate(zip(given, laid, strict=True)):
        kept: dict[str, str] = {}
        if value is not None and value != "":
            inner = _object(value)
            if inner is None:
                bad[place] = f"attributes: {quote(value)} is no object"
            else:
                add_attributes(kept, inner)
        if len(record) > known:
            unknown = list(record)[known:]
            add_attributes(kept, {key: record[key] for key in unknown if not key.startswith(WITHIN)})
            add_attributes(kept, {key.removeprefix(WITHIN): record[key] for key in unknown if key.startswith(WITHIN)})
        rows.append(dict(sorted(kept.items())))
    return Converted(array=attributes_array(rows, len(laid)), bad=bad)


def _object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, dict) else None
