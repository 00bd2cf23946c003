"""Past logs from files, once each, however often and wherever the import is interrupted.

A row's identity is its file's hash and its number, so that the same file under another name is the same history. Rows go in by
chunks of a fixed number of lines, each under its own token, and a chunk that was written is noted in `ingest_ranges`: a second
import skips what is noted, and repeats the few chunks that were perhaps written but not noted, whose tokens make that harmless
(while the table remembers tokens: the last 10,000 inserts). Files are read here, and chunks decoded and written by some
threads, each chunk for itself and in any order.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from core.clock import Clock
from core.errors import ConfigError
from core.record import IMPORT_TOPIC_PREFIX
from ingest.batch import Batch, Partition, Slice
from ingest.cardinality import CardinalityGuard
from ingest.chunks import Chunk, chunks
from ingest.formats import Format, Reject
from ingest.import_report import FileReport, ImportReport
from ingest.readers import READERS, Damaged, Reader, blocks_of, reader_of
from ingest.writer import BatchWriter, located
from storage.bulk import HeldMerges, bulk_insert
from storage.contract import Store
from storage.ranges import IngestRange, read_ranges, write_ranges

__all__ = ["FileReport", "ImportReport", "import_files"]

CHUNK_ROWS = 100_000
"""Rows written at once: fewer cost a quarter more time a row, more cost more memory."""

WRITERS = 3
"""Chunks decoded and written at the same time: one more than two processors, since a write waits for the disk now and then."""

_SAMPLE_ROWS = 1_000
_HASH_DIGITS = 16
_DONE = "done"
_DEAD_LETTER_BYTES = 16_384

Progress = Callable[[Path, int, int], object]
"""Is told path, bytes read and bytes in all, after each chunk."""


def import_files(
    store: Store,
    paths: Sequence[Path],
    format: Format,
    clock: Clock,
    progress: Progress = lambda path, done, total: None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    dead_letter_bytes: int = _DEAD_LETTER_BYTES,
    writers: int = WRITERS,
    guard: CardinalityGuard | None = None,
) -> ImportReport:
    """Write the rows of the files that are not in the store yet; `guard` bounds the values of their columns.

    Raises
    ------
    ConfigError
        A file is not there, cannot be opened, is empty or has a suffix that is not known; then nothing was written.
    StoreUnavailable, StoreError
        The store failed; what was written stays, and the same call goes on from there.
    """
    readers = [(Path(path), _checked(Path(path))) for path in paths]
    writer = BatchWriter(store=store, clock=clock, dead_letter_bytes=dead_letter_bytes, watermarks=False)
    reports = []
    with bulk_insert(store) as merges, ThreadPoolExecutor(writers, thread_name_prefix="import") as pool:
        for path, reader in readers:
            chunk_writer = _ChunkWriter(store, writer, format, guard, path.name)
            reports.append(_File(path, reader, chunk_writer, pool, writers, chunk_rows, merges).run(progress))
    return ImportReport(files=tuple(reports))


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of a chunk; `position` is how far its file had been read."""

    position: int
    rows: int
    skipped: int
    written: int
    reasons: Counter[str]


@dataclass(frozen=True, slots=True)
class _ChunkWriter:
    """Decodes chunks of a file, writes them, and then notes that they are."""

    store: Store
    writer: BatchWriter
    format: Format
    guard: CardinalityGuard | None
    source: str

    def write(self, topic: str, chunk: Chunk, missing: Chunk, position: int) -> _Written:
        if not len(missing):
            return _Written(position, len(chunk), len(chunk), 0, Counter())
        at = Partition(topic, 0)
        slice_ = Slice(partition=at, offsets=missing.numbers, values=missing)
        prepared = located(Batch(slices=(slice_,)), missing.decoded(self.format), self.source)
        if self.guard is not None:
            prepared = prepared.with_rows(self.guard.apply(prepared.rows))
        self.writer.write(prepared)
        valid = prepared.rows.num_rows
        done = IngestRange(
            topic=topic, partition=0, first_offset=slice_.first, last_offset=slice_.last, state=_DONE, rows=valid
        )
        write_ranges(self.store, [done])
        reasons = Counter(reject.reason for reject in prepared.rejects)
        return _Written(position, len(chunk), len(chunk) - len(missing), valid, reasons)


class _File:
    """The import of one file."""

    def __init__(
        self,
        path: Path,
        reader: Reader,
        writer: _ChunkWriter,
        pool: ThreadPoolExecutor,
        writers: int,
        chunk_rows: int,
        merges: HeldMerges,
    ) -> None:
        self._path, self._reader, self._writer = path, reader, writer
        self._pool, self._at_once, self._merges = pool, writers, merges
        self._chunk_rows = chunk_rows
        self._rows = self._skipped = self._written = 0
        self._reasons: Counter[str] = Counter()

    def run(self, progress: Progress) -> FileReport:
        with self._path.open("rb") as raw:
            total = self._path.stat().st_size
            topic = IMPORT_TOPIC_PREFIX + _hash(raw)
            done = [one for one in read_ranges(self._writer.store, topic) if one.state == _DONE]
            problem = "" if done else self._misfit(raw)
            if not problem:
                problem = self._write_all(raw, topic, done, lambda position: progress(self._path, position, total))
        rejected = self._reasons.total()
        return FileReport(
            path=str(self._path),
            topic=topic,
            rows=self._rows,
            written=self._written,
            rejected=rejected,
            skipped=self._skipped,
            reasons=dict(self._reasons),
            problem=problem,
        )

    def _misfit(self, raw: BufferedReader) -> str:
        """Why no row of the file can be read in this format; empty as soon as one can. Nothing is written for a misfit."""
        first: Reject | None = None
        rows = 0
        try:
            for chunk in self._chunks(raw, _SAMPLE_ROWS):
                decoded = chunk.decoded(self._writer.format)
                if len(decoded.valid):
                    return ""
                first = first or decoded.rejects[0]
                rows += len(chunk)
        except Damaged as damage:
            return str(damage)
        if first is None:
            return "there are no rows in it"
        return (
            f"none of its {rows:,} rows can be read in the format {self._writer.format.name!r} (row {first.index}: "
            f"{first.reason}, {first.detail}); choose another with --format or describe it under `formats`"
        )

    def _write_all(self, raw: BufferedReader, topic: str, done: Sequence[IngestRange], tell: Callable[[int], object]) -> str:
        """Write what is not done; returns the problem that ended it early, or nothing."""
        under_way: deque[Future[_Written]] = deque()
        problem = ""
        try:
            for chunk in self._chunks(raw, self._chunk_rows):
                missing = chunk.without(done) if done else chunk
                under_way.append(self._pool.submit(self._writer.write, topic, chunk, missing, raw.tell()))
                # One more than can be written waits, so that no writer has to: this bounds the memory.
                while len(under_way) > self._at_once:
                    tell(self._count(under_way.popleft().result()))
        except Damaged as damage:
            problem = str(damage)
        except BaseException:
            for future in under_way:
                future.cancel()  # those that have begun are waited for when the pool is closed
            raise
        while under_way:
            tell(self._count(under_way.popleft().result()))
        return f"{problem}; the {self._rows:,} rows before that are imported" if problem else ""

    def _chunks(self, raw: BufferedReader, chunk_rows: int) -> Iterator[Chunk]:
        raw.seek(0)
        return chunks(blocks_of(self._reader, raw), chunk_rows)

    def _count(self, one: _Written) -> int:
        self._rows += one.rows
        self._skipped += one.skipped
        self._written += one.written
        self._reasons.update(one.reasons)
        self._merges.wrote()
        return one.position


def _checked(path: Path) -> Reader:
    """The reader for a file that can be opened and is not empty."""
    reader = reader_of(path)
    if path.is_dir():
        raise ConfigError(str(path), "is a folder; name the files in it")
    if reader is None:
        raise ConfigError(str(path), f"has a suffix that is not known; tpscope reads {', '.join(READERS)}, each also with .gz")
    try:
        with path.open("rb") as raw:
            if not raw.read(1):
                raise ConfigError(str(path), "is empty; there is nothing to import")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from error
    return reader


def _hash(raw: BufferedReader) -> str:
    digest = hashlib.file_digest(raw, "sha256").hexdigest()
    raw.seek(0)
    return digest[:_HASH_DIGITS]
