"""Values of a JSON text, one by one, without holding the text as a whole."""

import io
import itertools
import json
from collections.abc import Iterator

from ingest.rows import MAX_ROW_BYTES, Damaged, Row

_READ_CHARACTERS = 1024 * 1024
_WHITESPACE = " \t\r\n"


class Elements:
    """Elements of a JSON array, or values one after another, from a text that is never held as a whole."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def rows(self) -> Iterator[Row]:
        array = self._peek() == "["
        self._at += array
        for number in itertools.count():
            following = self._peek()
            if array and following == "]":
                self._at += 1
                following = self._peek()
                array = False
                if following:
                    raise Damaged(f"there is more after the end of the array, in element {number}")
            if not following:
                if array:
                    raise Damaged(f"the array does not end; {number} elements were read")
                return
            element = self._element(number)
            yield Row(number, element, len(element))
            if array and self._peek() == ",":
                self._at += 1
            elif array and self._peek() not in ("]", ""):
                raise Damaged(f"a comma is missing after element {number} of the array")

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _WHITESPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def _element(self, number: int) -> bytes:
        while True:
            try:
                _, end = self._decoder.raw_decode(self._buffer, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if len(self._buffer) - self._at > MAX_ROW_BYTES or not self._more():
                    raise Damaged(f"element {number} is no JSON ({error})") from error
                continue
            # A number that ends where the buffer does may go on.
            if end < len(self._buffer) or not self._more():
                element = self._buffer[self._at : end]
                self._at = end
                return element.encode("utf-8", "surrogateescape")

    def _more(self) -> bool:
        if self._ended:
            return False
        part = self._text.read(_READ_CHARACTERS)
        self._ended = not part
        self._buffer = self._buffer[self._at :] + part
        self._at = 0
        return bool(part)
