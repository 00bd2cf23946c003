"""JSON lines of a file, a megabyte at a time, found without a Python object for each."""

import codecs
from collections.abc import Iterator
from typing import IO

import numpy as np

from ingest.lines import Lines
from ingest.rows import MAX_ROW_BYTES, Damaged, Row, Rows, Unreadable

_PIECE_BYTES = 1024 * 1024
_KEPT_BYTES = 65_536
_SPACE = np.zeros(256, bool)
_SPACE[list(b" \t\n\r\x0b\x0c")] = True
_USUAL_SPACES = 4


def read_lines(stream: IO[bytes]) -> Iterator[Rows]:
    """JSON lines; blank lines are counted and left out."""
    number = 0
    rest = stream.read(4)
    refuse_utf16(rest)
    rest = rest.removeprefix(codecs.BOM_UTF8)
    while piece := stream.read(_PIECE_BYTES):
        text = rest + piece
        end = text.rfind(b"\n") + 1
        if end:
            yield from _rows(text[:end], number)
            number += text.count(b"\n", 0, end)
            rest = text[end:]
        elif len(text) >= MAX_ROW_BYTES:
            yield _too_long(number, text)
            number += 1
            rest = _behind_line(stream)
        else:
            rest = text
    if rest:
        yield from _rows(rest, number)


def refuse_utf16(head: bytes) -> None:
    """Raises Damaged for a text that begins as UTF-16 does."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Damaged("it is UTF-16 text; save it as UTF-8")


def _rows(text: bytes, number: int) -> Iterator[Rows]:
    """Rows of whole lines, those that are too long apart."""
    octets = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(octets == ord("\n"))
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    long = np.flatnonzero(ends - starts >= MAX_ROW_BYTES)
    starts, ends = _stripped(text, octets, starts, ends)
    first = 0
    for place in [*long.tolist(), len(starts)]:
        kept = first + np.flatnonzero(ends[first:place] > starts[first:place])
        if len(kept):
            lines = Lines(text=text, starts=starts[kept], ends=ends[kept])[:]
            yield Rows(numbers=number + kept, values=lines, sizes=lines.ends - lines.starts)
        if place < len(starts):
            yield _too_long(number + place, text[starts[place] : ends[place]])
        first = place + 1


def _stripped(text: bytes, octets: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of the lines without white space around them: a few bytes of it at once, much of it line by line."""
    for _ in range(_USUAL_SPACES):
        before = (ends > starts) & _SPACE[octets[np.minimum(starts, len(octets) - 1)]]
        starts = starts + before
        behind = (ends > starts) & _SPACE[octets[ends - 1]]
        ends = ends - behind
        if not (before.any() or behind.any()):
            return starts, ends
    for place in np.flatnonzero(before | behind).tolist():
        line = text[starts[place] : ends[place]]
        starts[place] += len(line) - len(line.lstrip())
        ends[place] = starts[place] + len(line.strip())
    return starts, ends


def _behind_line(stream: IO[bytes]) -> bytes:
    """Reads to the end of a line and returns what was read of the next ones."""
    while piece := stream.read(_PIECE_BYTES):
        _, newline, rest = piece.partition(b"\n")
        if newline:
            return rest
    return b""


def _too_long(number: int, line: bytes) -> Rows:
    detail = f"the line is longer than {MAX_ROW_BYTES} bytes"
    return Rows.of(
        [Row(number, Unreadable(reason="too_long", detail=detail, payload=line[: min(_KEPT_BYTES, MAX_ROW_BYTES)]), 0)]
    )
