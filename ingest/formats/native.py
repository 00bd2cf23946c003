"""`tpscope`: the call record itself as JSON, one object a message. What it does not know goes into `attributes`."""

from typing import Any

import orjson

from core.record import RECORD_SCHEMA
from ingest.formats.attributes import add_attributes, attributes_array
from ingest.formats.base import ObjectFormat, Objects
from ingest.formats.columns import Converted, convert
from ingest.formats.times import time_column
from ingest.formats.values import quote

_NAMES = tuple(RECORD_SCHEMA.names)
_BLANK: dict[str, Any] = dict.fromkeys(_NAMES)
_WITHIN = "attributes."


class NativeFormat(ObjectFormat):
    """Columns by their own names. `attributes` is an object (or, as exports write it, its JSON text)."""

    name = "tpscope"

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
            add_attributes(kept, {key.removeprefix(_WITHIN): record[key] for key in list(record)[known:]})
        rows.append(kept)
    return Converted(array=attributes_array(rows, len(laid)), bad=bad)


def _object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, dict) else None
