"""A format that is declared: JSON paths → column, with constants, units, translations. Also the built-in ones are such.

How paths are read is told in `sources.py`, what named conversions do in `conversions.py`. Times without zone are UTC.
"""

from collections.abc import Callable
from typing import Any

from core.config import FieldMapping, FieldSource, FormatSettings
from core.errors import ConfigError
from core.record import LATENCIES, RECORD_SCHEMA
from ingest.formats.attributes import add_attributes, attributes_array, names_content, names_credential, text_of
from ingest.formats.base import ObjectFormat, Objects
from ingest.formats.columns import NUMBERS, Converted, convert, unknown
from ingest.formats.envelope import PAYLOADS, TIME, Claims, unwrapped
from ingest.formats.sources import Column, Columns, Source, first_present, is_missing, wanted_paths
from ingest.formats.times import time_column

_WITHIN = "attributes."


class MappingFormat(ObjectFormat):
    """Carries out a `FormatSettings`; raises ConfigError where it cannot be, naming the field.

    A record in an envelope is taken out of it, unless the format `claims` it as it is: not given, unless the mapping reads the
    envelope itself, or finds its time and another field in the record.
    """

    # Gateways' records are nested: with as many at a time as of flat ones the collector of garbage takes a fifth of the time.
    block_records = 512

    def __init__(self, name: str, settings: FormatSettings, claims: Claims | None = None) -> None:
        self.name = name
        self._fields = {
            target: _Field(f"formats.{name}.fields.{target}", target, one) for target, one in settings.fields.items()
        }
        self._keys = {target: frozenset(field.keys) for target, field in self._fields.items() if field.keys}
        wanted = [key for field in self._fields.values() for key in field.keys]
        self._blank: dict[str, Any] = dict.fromkeys((*wanted, *settings.never))
        self._keep_rest = settings.unmapped == "attributes"
        self._keep_time = TIME in self._blank
        self._claims = claims or (self._finds_its_fields if PAYLOADS.isdisjoint(wanted) else _always)

    def reads(self, key: str) -> bool:
        """Whether a field is read from this top-level key."""
        return key in self._blank

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether a record looks like one of this mapping: it has the time, and half of the fields or more."""
        found = sum(not keys.isdisjoint(record) for keys in self._keys.values())
        return "ts" in self._keys and not self._keys["ts"].isdisjoint(record) and 2 * found >= len(self._keys) and found > 1

    def columns(self, objects: Objects) -> list[Converted]:
        objects = unwrapped(objects, self._claims, keep_time=self._keep_time)
        # Wanted keys first and in order, whatever else the record has after them.
        laid = [self._blank | record for record in objects]
        values = zip(*(record.values() for record in laid), strict=False) if laid else [()] * len(self._blank)
        by_key: Columns = dict(zip(self._blank, values, strict=False))
        return [self._column(name, by_key, laid) for name in RECORD_SCHEMA.names]

    def _finds_its_fields(self, record: dict[str, Any]) -> bool:
        others = (keys for target, keys in self._keys.items() if target != "ts")
        times = self._keys.get("ts", frozenset())
        return not times.isdisjoint(record) and any(not keys.isdisjoint(record) for keys in others)

    def _column(self, name: str, by_key: Columns, laid: Objects) -> Converted:
        if name == "attributes":
            return self._attributes(by_key, laid)
        field = self._fields.get(name)
        return field.convert(field.read(by_key, len(laid))) if field else unknown(name, len(laid))

    def _attributes(self, by_key: Columns, laid: Objects) -> Converted:
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
        for source in (mapping, *mapping.first):
            _check(where, target, source)
        if target == "attributes" and mapping.const is not None:
            raise ConfigError(where, "needs the path of an object; a single one is attributes.NAME")
        self._sources = [] if mapping.const is not None else _sources(target, mapping)
        alone = self._sources[0] if len(self._sources) == 1 else None
        self._factor = alone.factor if alone else 1.0
        self._as_written = mapping.const is not None or (alone is not None and not alone.gives_times)
        for name in ("const", "default", "present"):
            value = getattr(mapping, name)
            if value is not None and not target.startswith(_WITHIN):
                bad = self.convert((value,)).bad
                if bad:
                    raise ConfigError(where, f"the {_SAID[name]} cannot be used: {bad[0]}")

    @property
    def keys(self) -> tuple[str, ...]:
        """The top-level keys that it reads."""
        return tuple(key for source in self._sources for key in source.keys)

    def read(self, by_key: Columns, length: int) -> Column:
        """The values of `length` records, translated."""
        if self._mapping.const is not None:
            return (self._mapping.const,) * length
        found = first_present(source.read(by_key, length) for source in self._sources)
        default = self._mapping.default
        return found if default is None else [default if is_missing(value) else value for value in found]

    def convert(self, values: Column) -> Converted:
        """The values as their column."""
        if self._target == "ts":
            unit, time_format = (self._mapping.unit, self._mapping.time_format) if self._as_written else (None, None)
            array, bad = time_column(values, unit, time_format)
            return Converted(array=array, bad=bad)
        return convert(self._target, values, self._factor)


_SAID = {"const": "constant", "default": "default", "present": "value of `present`"}


def _sources(target: str, mapping: FieldMapping) -> list[Source]:
    if mapping.first:
        return [Source(target, one, among=True) for one in mapping.first]
    # Beside a default (or `present`), which is in the column's unit, the values have to be, too.
    return [Source(target, mapping, among=mapping.default is not None or mapping.present is not None)]


def _check(where: str, target: str, mapping: FieldSource) -> None:
    numeric = target in NUMBERS
    paths = _paths(mapping)
    refused: list[tuple[bool, str]] = [
        (target == _WITHIN, "an attribute needs a name: attributes.NAME"),
        (bool(mapping.unit) and target != "ts" and target not in LATENCIES, "unit is for ts and latencies; use scale"),
        (mapping.scale is not None and not numeric, "scale is for columns of numbers"),
        (mapping.scale is not None and not mapping.scale > 0, f"scale must be above 0, not {mapping.scale!r}"),
        (mapping.time_format is not None and target != "ts", "time_format is for ts"),
        (mapping.minus is not None and target != "ts", "minus is for ts"),
        (bool(mapping.since) and target not in LATENCIES, "since is for latencies"),
        (mapping.template is not None and not paths, f"template {mapping.template!r} has no path in braces"),
        *(("" in path.split("."), f"path {path!r} has an empty part") for path in paths),
        (
            not numeric and target not in ("ts", "attributes") and _names_secret(target, paths),
            "looks like a credential, a prompt or a body, which tpscope never keeps; map an id, a length or a hash of it",
        ),
    ]
    for wrong, message in refused:
        if wrong:
            raise ConfigError(where, message)


def _paths(mapping: FieldSource) -> tuple[str, ...]:
    others = [path for path in (mapping.minus, mapping.only_if) if path is not None]
    return (*wanted_paths(mapping), *mapping.since, *others)


def _names_secret(target: str, paths: tuple[str, ...]) -> bool:
    ends = ["_".join(part for part in path.split(".")[-2:] if not part.isdigit() and part != "*") for path in paths]
    checks: tuple[Callable[[str], bool], ...] = (names_credential, names_content)
    return any(check(name) for name in (target.removeprefix(_WITHIN), *ends) for check in checks)


def _always(record: dict[str, Any]) -> bool:
    return True


def _scalars(record: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: record[key] for key in keys if not isinstance(record[key], dict | list)}
