"""A buffer to walk forward in, which asks for more bytes when it comes to its end."""

import socket
from collections.abc import Callable

_CHUNK = 1 << 18
_KEEP = 1 << 20  # bytes already walked over that are worth being dropped


class Source:
    """Reads the primitives of ClickHouse's binary formats.

    Parameters
    ----------
    data : bytes
        What is there already.
    more : callable
        Gives the next bytes, or raises EOFError; called only when they are needed.
    """

    def __init__(self, data: bytes, more: Callable[[], bytes]) -> None:
        self._data = bytearray(data)
        self._at = 0
        self._more = more

    @classmethod
    def of_bytes(cls, data: bytes) -> "Source":
        """Over bytes that are all there."""

        def more() -> bytes:
            raise EOFError("the data end inside a value")

        return cls(data, more)

    @classmethod
    def of_socket(cls, connection: socket.socket) -> "Source":
        """Over what a peer sends."""

        def more() -> bytes:
            received = connection.recv(_CHUNK)
            if not received:
                raise EOFError("the peer hung up")
            return received

        return cls(b"", more)

    @property
    def exhausted(self) -> bool:
        """Whether everything that is there has been read."""
        return self._at >= len(self._data)

    def skip(self, size: int) -> None:
        """Walk over `size` bytes."""
        self._need(size)
        self._at += size

    def skip_strings(self, count: int) -> None:
        """Walk over `count` strings with their lengths."""
        data, at = self._data, self._at
        while count:
            try:
                for _ in range(count):
                    size = data[at]
                    if size < 0x80:
                        at += size + 1
                    else:
                        size, start = _varint(data, at)
                        at = start + size
                    count -= 1
            except IndexError:  # the next length is not there yet; `at` still points to it
                data += self._more()
        while len(data) < at:
            data += self._more()
        self._at = at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self._at
        self.skip(size)
        return bytes(self._data[start : self._at])

    def number(self, width: int) -> int:
        """An unsigned little-endian integer of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def varint(self) -> int:
        """An unsigned integer of variable length."""
        while True:
            try:
                value, self._at = _varint(self._data, self._at)
            except IndexError:
                self._data += self._more()
            else:
                return value

    def string(self) -> str:
        """A string with its length before it."""
        return self.take(self.varint()).decode("utf-8", "surrogateescape")

    def walked(self, walk: Callable[["Source"], None]) -> bytes:
        """The bytes that `walk` walks over."""
        if self._at > _KEEP:
            del self._data[: self._at]
            self._at = 0
        start = self._at
        walk(self)
        return bytes(self._data[start : self._at])

    def _need(self, size: int) -> None:
        while len(self._data) - self._at < size:
            self._data += self._more()


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    """The value of the varint at `at` and where it ends; IndexError when it is not there whole."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
