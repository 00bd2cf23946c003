"""Pieces for tests of the ledger."""

from ingest.batch import Partition, Slice


def slice_of(partition: Partition, first: int, count: int, size: int = 10) -> Slice:
    """`count` records from offset `first` on, each of `size` bytes."""
    values = [b"x" * size] * count
    return Slice(partition=partition, offsets=range(first, first + count), values=values, size_bytes=size * count)


def offsets_of(pieces: object) -> list[int]:
    """Every offset of some pieces, in order."""
    return [int(offset) for one in pieces for offset in one.unpack().offsets]  # type: ignore[attr-defined]
