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
APPLIED = "SELECT DISTINCT name, checksum FROM migrations ORDER BY name, checksum"
OLDEST = (24, 8)
"""The first ClickHouse that carries the token of an insert into the rollups (its pull request 61601)."""
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
    time is recorded alike. Raises StoreError when the server is too old, when the store was made by a newer version, and when
    a file that was applied has changed since.
    """
    _refuse_old(store.capabilities.version)
    store.command(CREATE_MIGRATIONS)
    files = list(load_migrations())
    recorded = _recorded(store)
    _refuse_unknown(recorded, files)
    applied = {name for name, _ in recorded}
    pending = [file for file in files if file.name not in applied]
    for file in pending:
        for statement in file.statements:
            store.command(statement)
        store.insert("migrations", _row(file))
    if settings is not None:
        apply_retention(store, settings)
    return [file.name for file in pending]


def pending_migrations(store: Store) -> list[str]:
    """Names of this version's files that have not been applied; raises StoreError for a store that was never migrated."""
    applied = {name for name, _ in _recorded(store)}
    return [file.name for file in load_migrations() if file.name not in applied]


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


def _refuse_old(version: str) -> None:
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < OLDEST:
        oldest = ".".join(str(number) for number in OLDEST)
        raise StoreError(f"store: ClickHouse {version} is too old; {oldest} or later is needed")


def _recorded(store: Store) -> list[tuple[str, str]]:
    """Names and checksums of what was applied."""
    return [(row["name"], row["checksum"]) for row in store.arrow(APPLIED).to_pylist()]


def _refuse_unknown(recorded: list[tuple[str, str]], files: list[Migration]) -> None:
    known = {file.name: file.checksum for file in files}
    for name, checksum in recorded:
        if name not in known:
            raise StoreError(f"store: was made by a newer tpscope (it has migration {name!r}); upgrade this installation")
        if known[name] != checksum:
            raise StoreError(
                f"store: migration {name!r} has another text than when it was applied; reinstall the tpscope that made it"
            )


def _row(file: Migration) -> pa.Table:
    row = {"name": file.name, "checksum": file.checksum, "applied_at": datetime.now(UTC)}
    return pa.Table.from_pylist([row], schema=_SCHEMA)
