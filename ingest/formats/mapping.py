"""A format that the operator describes: JSON path → column, with constants, units, translations.

A path names object keys and list items by number, parted by dots; a record that has the whole path as one key (CSV headers
such as `http.status`) is read by that. What a path does not find is unknown. Times without zone are UTC.
"""

from collections.abc import Callable, Sequence
from typing import Any

from core.config import FieldMapping, FormatSettings
from core.errors import ConfigError
from core.record import LATENCIES, RECORD_SCHEMA
from ingest.formats.attributes import add_attributes, attributes_array, names_content, names_credential, text_of
from ingest.formats.base import ObjectFormat, Objects
from ingest.formats.columns import NUMBERS, Converted, convert, unknown
from ingest.formats.times import UNIT_MS, time_column

_WITHIN = "attributes."
_Column = Sequence[Any]
_Columns = dict[str, _Column]


class MappingFormat(ObjectFormat):
    """Carries out a `FormatSettings`; raises ConfigError where it cannot be, naming the field."""

    def __init__(self, name: str, settings: FormatSettings) -> None:
        self.name = name
        self._fields = {
            target: _Field(f"formats.{name}.fields.{target}", target, one) for target, one in settings.fields.items()
        }
        keys = [key for field in self._fields.values() for key in field.keys]
        self._blank: dict[str, Any] = dict.fromkeys(keys)
        self._keep_rest = settings.unmapped == "attributes"

    def columns(self, objects: Objects) -> list[Converted]:
        # Wanted keys first and in order, whatever else the record has after them.
        laid = [self._blank | record for record in objects]
        values = zip(*(record.values() for record in laid), strict=False) if laid else [()] * len(self._blank)
        by_key: _Columns = dict(zip(self._blank, values, strict=False))
        return [self._column(name, by_key, laid) for name in RECORD_SCHEMA.names]

    def _column(self, name: str, by_key: _Columns, laid: Objects) -> Converted:
        if name == "attributes":
            return self._attributes(by_key, laid)
        field = self._fields.get(name)
        return field.convert(field.read(by_key, len(laid))) if field else unknown(name, len(laid))

    def _attributes(self, by_key: _Columns, laid: Objects) -> Converted:
        targets = {name: field for name, field in self._fields.items() if name.startswith(_WITHIN)}
        whole = self._fields.get("attributes")
        if not targets and not whole and not self._keep_rest:
            return Converted(array=attributes_array((), len(laid)))
        rows: list[dict[str, str]] = [{} for _ in laid]
        for name, field in targets.items():
            for row, value in zip(rows, field.read(by_key, len(laid)), strict=True):
                if value is not None and value != "":
                    add_attributes(row, {name.removeprefix(_WITHIN): text_of(value)})
        if whole:
            for row, value in zip(rows, whole.read(by_key, len(laid)), strict=True):
                add_attributes(row, value if isinstance(value, dict) else {})
        if self._keep_rest:
            wanted = len(self._blank)
            for row, record in zip(rows, laid, strict=True):
                if len(record) > wanted:
                    add_attributes(row, _scalars(record, list(record)[wanted:]))
        return Converted(array=attributes_array(rows, len(laid)))


class _Field:
    """Where one column comes from, checked and made ready."""

    def __init__(self, where: str, target: str, mapping: FieldMapping) -> None:
        self._target = target
        self._mapping = mapping
        self._path = mapping.path.split(".") if mapping.path is not None else []
        self._factor = mapping.scale if mapping.scale is not None else 1.0
        if mapping.unit and target in LATENCIES:
            self._factor *= UNIT_MS[mapping.unit]
        _check(where, target, mapping)
        if mapping.const is not None and not target.startswith(_WITHIN):
            bad = self.convert(self.read({}, 1)).bad
            if bad:
                raise ConfigError(where, f"the constant cannot be used: {bad[0]}")

    @property
    def keys(self) -> tuple[str, ...]:
        """The top-level keys that it reads."""
        if self._mapping.path is None:
            return ()
        return (self._mapping.path,) if len(self._path) == 1 else (self._mapping.path, self._path[0])

    def read(self, by_key: _Columns, length: int) -> _Column:
        """The values of `length` records, translated."""
        if self._mapping.path is None:
            return (self._mapping.const,) * length
        found: _Column = by_key[self._mapping.path]
        if len(self._path) > 1:
            found = self._within(by_key[self._path[0]], found)
        table = self._mapping.values
        return [_translated(value, table) for value in found] if table else found

    def _within(self, heads: _Column, flat: _Column) -> _Column:
        """What the rest of the path leads to; the flat key's value where a record has one."""
        rest = self._path[1:]
        if len(rest) == 1:
            key = rest[0]
            found = [head.get(key) if type(head) is dict else _walk(head, rest) for head in heads]
        else:
            found = [_walk(head, rest) for head in heads]
        if set(map(type, flat)) <= {type(None)}:
            return found
        return [deep if whole is None else whole for deep, whole in zip(found, flat, strict=True)]

    def convert(self, values: _Column) -> Converted:
        """The values as their column."""
        if self._target == "ts":
            array, bad = time_column(values, self._mapping.unit, self._mapping.time_format)
            return Converted(array=array, bad=bad)
        return convert(self._target, values, self._factor)


def _check(where: str, target: str, mapping: FieldMapping) -> None:
    numeric = target in NUMBERS
    refused: list[tuple[bool, str]] = [
        (target == _WITHIN, "an attribute needs a name: attributes.NAME"),
        (target == "attributes" and mapping.path is None, "needs the path of an object; a single one is attributes.NAME"),
        (bool(mapping.unit) and target != "ts" and target not in LATENCIES, "unit is for ts and latencies; use scale"),
        (mapping.scale is not None and not numeric, "scale is for columns of numbers"),
        (mapping.scale is not None and not mapping.scale > 0, f"scale must be above 0, not {mapping.scale!r}"),
        (mapping.time_format is not None and target != "ts", "time_format is for ts"),
        (mapping.path is not None and "" in mapping.path.split("."), f"path {mapping.path!r} has an empty part"),
        (
            not numeric and target not in ("ts", "attributes") and _names_secret(target, mapping),
            "looks like a credential, a prompt or a body, which tpscope never keeps; map an id, a length or a hash of it",
        ),
    ]
    for wrong, message in refused:
        if wrong:
            raise ConfigError(where, message)


def _names_secret(target: str, mapping: FieldMapping) -> bool:
    path = (mapping.path or "").split(".")
    names = [target.removeprefix(_WITHIN), "_".join(part for part in path[-2:] if not part.isdigit())]
    checks: tuple[Callable[[str], bool], ...] = (names_credential, names_content)
    return any(check(name) for name in names for check in checks)


def _walk(value: Any, rest: list[str]) -> Any:
    for part in rest:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _translated(value: Any, table: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return table.get(value, value)
    if value is None or isinstance(value, dict | list):
        return value
    return table.get(text_of(value), value)


def _scalars(record: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: record[key] for key in keys if not isinstance(record[key], dict | list)}
