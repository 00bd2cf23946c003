"""How long a column is in ClickHouse's Native format, from its type.

A native data packet carries no length, and names, types and data of the columns are interleaved: to find the end of a
block one has to walk it. Only lengths are read here; the bytes go to and from the engine as they are.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.native.source import Source

_FIXED_WIDTH = {
    **{f"{kind}{bits}": bits // 8 for kind in ("Int", "UInt") for bits in (8, 16, 32, 64, 128, 256)},
    **{f"Decimal{bits}": bits // 8 for bits in (32, 64, 128, 256)},
    **dict.fromkeys(("Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("BFloat16", "Enum16", "Date"), 2),
    **dict.fromkeys(("Float32", "Date32", "DateTime", "Time", "IPv4"), 4),
    **dict.fromkeys(("Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("UUID", "IPv6"), 16),
}
_DECIMAL_DIGITS = ((9, 4), (18, 8), (38, 16), (76, 32))  # up to so many digits: so many bytes
_HAS_GLOBAL_DICTIONARY, _HAS_OWN_KEYS = 0x100, 0x200  # flags of a LowCardinality column's index


class UnknownType(Exception):
    """A type whose columns cannot be walked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`skip(source, rows)` walks over a column's data; `prefix` bytes stand before them when there are any rows."""

    skip: Callable[[Source, int], None]
    prefix: int = 0

    def skip_column(self, source: Source, rows: int) -> None:
        """Walk over a whole column; one without rows has no bytes at all."""
        if rows:
            source.skip(self.prefix)
            self.skip(source, rows)


@functools.cache
def layout_of(type_name: str) -> Layout:
    """The layout of a type as ClickHouse spells it. Raises UnknownType."""
    name, arguments = _split_type(type_name)
    if name in ("SimpleAggregateFunction", "Nullable", "Array", "LowCardinality"):
        inner = layout_of(arguments[-1])
        if name == "Nullable":
            return _nullable(inner)
        if name == "Array":
            return _array(inner)
        if name == "LowCardinality":
            return _low_cardinality(arguments[0])
        return inner
    if name in ("Tuple", "Nested", "Map"):
        elements = _tuple([layout_of(_without_name(argument)) for argument in arguments])
        return elements if name == "Tuple" else _array(elements)
    if name == "String":
        return Layout(skip=lambda source, rows: source.skip_strings(rows))
    width = _width(name, arguments)
    return Layout(skip=lambda source, rows: source.skip(width * rows))


def _nullable(inner: Layout) -> Layout:
    def skip(source: Source, rows: int) -> None:
        source.skip(rows)  # a byte a row: whether it is NULL
        inner.skip(source, rows)

    return Layout(prefix=inner.prefix, skip=skip)


def _array(inner: Layout) -> Layout:
    def skip(source: Source, rows: int) -> None:
        source.skip(8 * (rows - 1))
        if total := source.number(8):  # the last offset is the number of all elements
            inner.skip(source, total)

    return Layout(prefix=inner.prefix, skip=skip)


def _tuple(elements: list[Layout]) -> Layout:
    def skip(source: Source, rows: int) -> None:
        for element in elements:
            element.skip(source, rows)

    return Layout(prefix=sum(element.prefix for element in elements), skip=skip)


def _low_cardinality(inner: str) -> Layout:
    name, arguments = _split_type(inner)
    dictionary = layout_of(arguments[0] if name == "Nullable" else inner)  # NULL is the dictionary's first key

    def skip(source: Source, _rows: int) -> None:
        flags = source.number(8)
        if flags & _HAS_GLOBAL_DICTIONARY or not flags & _HAS_OWN_KEYS:
            raise UnknownType("a LowCardinality column with a shared dictionary")
        dictionary.skip(source, source.number(8))
        source.skip(source.number(8) << (flags & 0xFF))

    return Layout(prefix=8, skip=skip)


def _width(name: str, arguments: list[str]) -> int:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        return next(width for digits, width in _DECIMAL_DIGITS if int(arguments[0]) <= digits)
    if name.startswith("Interval"):
        return 8
    if name not in _FIXED_WIDTH:
        raise UnknownType(f"the type {name!r}")
    return _FIXED_WIDTH[name]


def _split_type(type_name: str) -> tuple[str, list[str]]:
    """`Map(String, Array(UInt8))` is `Map` of `String` and `Array(UInt8)`."""
    name, bracket, rest = type_name.partition("(")
    if not bracket:
        return type_name, []
    return name, _split_arguments(rest[:-1])


def _split_arguments(text: str) -> list[str]:
    arguments, depth, start = [], 0, 0
    for token in re.finditer(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]", text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == "," and depth == 0:
            arguments.append(text[start : token.start()].strip())
            start = token.end()
    return [*arguments, text[start:].strip()]


def _without_name(element: str) -> str:
    """The type of a tuple's element, which may have a name before it: `a UInt8`, `` `a b` UInt8 ``."""
    named = re.fullmatch(r"(?:`(?:[^`\\]|\\.)*`|\w+)\s+([A-Z].*)", element, re.DOTALL)
    return named[1] if named else element
