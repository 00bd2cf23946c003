"""A row of a file, and why there may be none."""

from dataclasses import dataclass

MAX_ROW_BYTES = 16 * 1024 * 1024
"""Longest line or element; a longer one is no call record."""


class Damaged(Exception):
    """The file cannot be read on; the message says what is wrong, without naming the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that is no record at all, with its bytes as far as they are kept."""

    reason: str
    detail: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: its number, its value, and about how many bytes it takes."""

    number: int
    value: object
    size_bytes: int
