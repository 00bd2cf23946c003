"""Records of a batch in one buffer, so that a columnar reader parses them without one Python object each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lines(Sequence[bytes]):
    """Records in one text that is NDJSON as it stands, where every record is JSON without line breaks.

    A record may be anything, though: empty, several lines, no JSON. Only `starts` and `ends` say where the records are. Two are
    equal only when they are the same object.

    Attributes
    ----------
    text : bytes, bytearray, memoryview or pyarrow.Buffer, of shape (bytes,)
        Outside of the records white space only, with at least one line feed between any two. Not to be changed any more.
    starts, ends : ndarray of int64, shape (records,)
        Record i is `text[starts[i]:ends[i]]`; both ascend.
    """

    text: bytes | bytearray | memoryview
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Lines":
        """The values, joined; what is lines already is returned as it is."""
        if isinstance(values, Lines):
            return values
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        ends = np.cumsum(sizes + 1) - 1
        return cls(text=b"\n".join(values), starts=ends - sizes, ends=ends)

    @property
    def size_bytes(self) -> int:
        """Bytes of the records, without what lies between them."""
        return int((self.ends - self.starts).sum())

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> "Lines": ...

    def __getitem__(self, index: int | slice) -> "bytes | Lines":
        if isinstance(index, slice):
            return self._sliced(index)
        return bytes(memoryview(self.text)[self.starts[index] : self.ends[index]])

    def __iter__(self) -> Iterator[bytes]:
        view = memoryview(self.text)
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield bytes(view[start:end])

    def take(self, places: Sequence[int] | np.ndarray) -> list[bytes]:
        """The records at these places, copied."""
        chosen = np.asarray(places, np.int64)
        view = memoryview(self.text)
        bounds = zip(self.starts[chosen].tolist(), self.ends[chosen].tolist(), strict=True)
        return [bytes(view[start:end]) for start, end in bounds]

    def _sliced(self, index: slice) -> "Lines":
        """Consecutive records share the text; others are copied."""
        first, last, step = index.indices(len(self))
        if step != 1:
            return Lines.of(self.take(range(first, last, step)))
        starts, ends = self.starts[first:last], self.ends[first:last]
        if not len(starts):
            return Lines(text=b"", starts=starts, ends=ends)
        base = starts[0]
        return Lines(text=memoryview(self.text)[base : ends[-1]], starts=starts - base, ends=ends - base)
