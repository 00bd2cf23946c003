"""Past logs from files, once each, however often and wherever the import is interrupted.

A row's identity is its file's hash and its number, so that the same file under another name is the same history. Rows go in by
chunks of a fixed number of lines, each under its own token, and a chunk that was written is noted in `ingest_ranges`: a second
import skips what is noted, and repeats the one chunk that was perhaps written but not noted, whose token makes that harmless
(while the table remembers tokens: the last 10,000 inserts).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path

import numpy as np

from core.clock import Clock
from core.errors import ConfigError
from core.record import IMPORT_TOPIC_PREFIX
from ingest.batch import MAX_BYTES, Batch, Partition, Slice
from ingest.formats import Decoded, Format, Reject
from ingest.import_report import FileReport, ImportReport
from ingest.readers import READERS, Damaged, Reader, Row, Unreadable, reader_of, rows_of
from ingest.writer import BatchWriter, Prepared, located
from storage.contract import Store
from storage.ranges import IngestRange, read_ranges, write_ranges

__all__ = ["FileReport", "ImportReport", "import_files"]

CHUNK_ROWS = 50_000
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
) -> ImportReport:
    """Write the rows of the files that are not in the store yet.

    Raises
    ------
    ConfigError
        A file is not there, cannot be opened, is empty or has a suffix that is not known; then nothing was written.
    StoreUnavailable, StoreError
        The store failed; what was written stays, and the same call goes on from there.
    """
    readers = [(Path(path), _checked(Path(path))) for path in paths]
    writer = BatchWriter(store=store, clock=clock, dead_letter_bytes=dead_letter_bytes, watermarks=False)
    reports = [_File(path, reader, format, store, writer, chunk_rows).run(progress) for path, reader in readers]
    return ImportReport(files=tuple(reports))


class _File:
    """The import of one file."""

    def __init__(self, path: Path, reader: Reader, format_: Format, store: Store, writer: BatchWriter, chunk_rows: int) -> None:
        self._path, self._reader, self._format = path, reader, format_
        self._store, self._writer = store, writer
        self._chunk_rows = chunk_rows
        self._rows = self._written = self._skipped = 0
        self._reasons: Counter[str] = Counter()

    def run(self, progress: Progress) -> FileReport:
        with self._path.open("rb") as raw:
            total = self._path.stat().st_size
            topic = IMPORT_TOPIC_PREFIX + _hash(raw)
            done = [one for one in read_ranges(self._store, topic) if one.state == _DONE]
            problem = "" if done else self._misfit(raw)
            if not problem:
                problem = self._write_all(raw, topic, done, lambda: progress(self._path, raw.tell(), total))
        return FileReport(
            path=str(self._path),
            topic=topic,
            rows=self._rows,
            written=self._written,
            rejected=self._reasons.total(),
            skipped=self._skipped,
            reasons=dict(self._reasons),
            problem=problem,
        )

    def _misfit(self, raw: BufferedReader) -> str:
        """Why no row of the file can be read in this format; empty as soon as one can. Nothing is written for a misfit."""
        first: Reject | None = None
        rows = 0
        try:
            for chunk in _chunks(rows_of(self._reader, raw), _SAMPLE_ROWS):
                decoded = _decoded(chunk, self._format)
                if len(decoded.valid):
                    return ""
                first = first or decoded.rejects[0]
                rows += len(chunk)
        except Damaged as damage:
            return str(damage)
        if first is None:
            return "there are no rows in it"
        return (
            f"none of its {rows:,} rows can be read in the format {self._format.name!r} (row {first.index}: {first.reason}, "
            f"{first.detail}); choose another with --format or describe it under `formats`"
        )

    def _write_all(self, raw: BufferedReader, topic: str, done: list[IngestRange], tell: Callable[[], object]) -> str:
        """Write what is not done; returns the problem that ended it early, or nothing."""
        raw.seek(0)
        at = Partition(topic, 0)
        try:
            for chunk in _chunks(rows_of(self._reader, raw), self._chunk_rows):
                missing = [row for row in chunk if not _covered(row.number, done)] if done else chunk
                self._rows += len(chunk)
                self._skipped += len(chunk) - len(missing)
                if missing:
                    self._write(at, missing)
                tell()
        except Damaged as damage:
            return f"{damage}; the {self._rows:,} rows before that are imported"
        return ""

    def _write(self, at: Partition, rows: list[Row]) -> None:
        slice_ = Slice(partition=at, offsets=[row.number for row in rows], values=[row.value for row in rows])
        batch = Batch(slices=(slice_,))
        prepared: Prepared = located(batch, _decoded(rows, self._format), self._path.name)
        self._writer.write(prepared)
        valid = prepared.rows.num_rows
        first, last = rows[0].number, rows[-1].number
        write_ranges(
            self._store,
            [IngestRange(topic=at.topic, partition=0, first_offset=first, last_offset=last, state=_DONE, rows=valid)],
        )
        self._written += valid
        self._reasons.update(reject.reason for reject in prepared.rejects)


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


def _chunks(rows: Iterator[Row], chunk_rows: int) -> Iterator[list[Row]]:
    """Rows by fixed line numbers, so that a chunk is the same one in every import; less where they are large."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        if chunk and (row.number // chunk_rows != chunk[0].number // chunk_rows or size >= MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += row.size_bytes
    if chunk:
        yield chunk


def _decoded(rows: Sequence[Row], format_: Format) -> Decoded:
    """The rows decoded, those that are no records at all among the rejects."""
    good = [index for index, row in enumerate(rows) if not isinstance(row.value, Unreadable)]
    values = [rows[index].value for index in good]
    as_bytes = [value for value in values if isinstance(value, bytes)]
    decoded = format_.decode(as_bytes) if len(as_bytes) == len(values) else format_.decode_objects(values)
    if len(good) == len(rows):
        return decoded
    rejects = [Reject(index=good[one.index], reason=one.reason, detail=one.detail) for one in decoded.rejects]
    for index, row in enumerate(rows):
        if isinstance(row.value, Unreadable):
            rejects.append(Reject(index=index, reason=row.value.reason, detail=row.value.detail))
    places = np.asarray(good, np.int64)[decoded.valid]
    return Decoded(rows=decoded.rows, valid=places, rejects=tuple(sorted(rejects, key=lambda one: one.index)))


def _covered(number: int, done: list[IngestRange]) -> bool:
    return any(one.first_offset <= number <= one.last_offset for one in done)
