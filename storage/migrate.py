"""Applies the numbered files of `migrations/` in order, each once."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

import pyarrow as pa

from core.config import RetentionSettings
from core.errors import StoreError
from storage.contract import Store
from storage.retention import apply_retention

CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations (name String, checksum String, applied_at DateTime64(3, 'UTC'))
ENGINE = ReplacingMergeTree ORDER BY name
"""
APPLIED = "SELECT name, any(checksum) AS checksum FROM migrations GROUP BY name"
_SCHEMA = pa.schema([("name", pa.string()), ("checksum", pa.string()), ("applied_at", pa.timestamp("ms", tz="UTC"))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file: its name, its checksum (of the text without line ends' differences) and its statements."""

    name: str
    checksum: str
    statements: tuple[str, ...]


def migrate(store: Store, settings: RetentionSettings | None = None) -> list[str]:
    """Bring the store's schema up to date and set the retention of `settings`; returns the names of the files applied now.

    Safe to call again, and by two processes at once: statements say IF NOT EXISTS, and a file that two record at the same
    time is recorded alike. Raises StoreError when the store was made by a newer version, or when a file that was applied has
    changed since.
    """
    store.command(CREATE_MIGRATIONS)
    files = list(load_migrations())
    applied = _applied(store)
    _refuse_unknown(applied, files)
    pending = [file for file in files if file.name not in applied]
    for file in pending:
        for statement in file.statements:
            store.command(statement)
        store.insert("migrations", _row(file))
    if settings is not None:
        apply_retention(store, settings)
    return [file.name for file in pending]


def load_migrations() -> Iterator[Migration]:
    """The files of this version, in order."""
    folder = resources.files("storage") / "migrations"
    for path in sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name):
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode("utf-8")).hexdigest()
        yield Migration(name=path.name, checksum=checksum, statements=tuple(split_statements(text)))


def split_statements(text: str) -> Iterator[str]:
    """The statements of a script, without its comments; a semicolon inside quotes ends nothing."""
    uncommented = re.sub(r"('(?:[^'\\]|\\.)*')|--[^\n]*", lambda match: match[1] or "", text)
    for part in re.findall(r"(?:'(?:[^'\\]|\\.)*'|[^;'])+", uncommented):
        if statement := part.strip():
            yield statement


def _applied(store: Store) -> dict[str, str]:
    rows = store.arrow(APPLIED).to_pylist()
    return {row["name"]: row["checksum"] for row in rows}


def _refuse_unknown(applied: dict[str, str], files: list[Migration]) -> None:
    known = {file.name: file.checksum for file in files}
    for name, checksum in sorted(applied.items()):
        if name not in known:
            raise StoreError(f"store: was made by a newer tpscope (it has migration {name!r}); upgrade this installation")
        if known[name] != checksum:
            raise StoreError(
                f"store: migration {name!r} has another text than when it was applied; reinstall the tpscope that made it"
            )


def _row(file: Migration) -> pa.Table:
    row = {"name": file.name, "checksum": file.checksum, "applied_at": datetime.now(UTC)}
    return pa.Table.from_pylist([row], schema=_SCHEMA)
