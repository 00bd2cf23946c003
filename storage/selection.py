"""Selectors as conditions: names from the list of dimensions, values always bound."""

from collections.abc import Iterable, Sequence

from core.record import DIMENSIONS
from core.series import Selector
from storage.contract import Value


def matching(selector: Selector, table: str = "") -> tuple[str, dict[str, Value]]:
    """` AND service = {of_service:String}…` for what the selector asks, and its parameters; empty for all calls.

    `table` is an alias to put before the columns. Raises ValueError for a name that is no dimension.
    """
    check_dimensions(selector.dimensions)
    prefix = f"{table}." if table else ""
    conditions = [f" AND {prefix}{name} = {{of_{name}:String}}" for name in selector.dimensions]
    return "".join(conditions), {f"of_{name}": value for name, value in selector.pairs}


def within(selector: Selector, column: str = "selector") -> tuple[str, dict[str, Value]]:
    """The same for a column of selectors in canonical text: the rows whose selector has every pair of `selector`.

    A pair is searched with the commas around it. It cannot be met inside a value, whose quotes are escaped, nor at the end of
    a longer name (`model` in `requested_model`).
    """
    check_dimensions(selector.dimensions)
    conditions = [f" AND position(concat(',', {column}, ','), {{of_{name}:String}}) > 0" for name in selector.dimensions]
    return "".join(conditions), {f"of_{name}": f",{Selector(((name, value),))}," for name, value in selector.pairs}


def among_values(dimension: str, values: Sequence[str], table: str) -> tuple[str, dict[str, Value]]:
    """` AND t.tenant IN {among:Array(String)}`, which the primary key is searched by; empty without any value."""
    if not values:
        return "", {}
    check_dimensions([dimension])
    return f" AND {table}.{dimension} IN {{among:Array(String)}}", {"among": list(values)}


def one_of(by: Sequence[str], combinations: Sequence[Sequence[str]], table: str) -> tuple[str, dict[str, Value]]:
    """` AND has({among:Array(String)}, …)` for rows that have one of these combinations of `by`; empty without any."""
    if not combinations:
        return "", {}
    check_dimensions(by)
    names = [f"{table}.{name}" for name in by]
    value = names[0] if len(names) == 1 else f"concat({', char(31), '.join(names)})"  # the separator is in no name
    return f" AND has({{among:Array(String)}}, {value})", {"among": [chr(31).join(values) for values in combinations]}


def check_dimensions(names: Iterable[str]) -> None:
    """Raises ValueError that names what is no dimension of the call record."""
    for name in names:
        if name not in DIMENSIONS:
            raise ValueError(f"{name!r} is no dimension of a call; choose from {', '.join(DIMENSIONS)}")
