"""Names of tables and columns: from code, checked all the same before they go into a statement."""

import re
from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def checked(name: str) -> str:
    """`name` itself; raises ValueError when it is not a plain identifier."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a table or column")
    return name


def column_list(names: Iterable[str]) -> str:
    """Names in backquotes, with commas: some (`offset`, `values`) are words of the language."""
    return ", ".join(f"`{checked(name)}`" for name in names)
