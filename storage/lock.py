"""Who owns an embedded directory: a lock that ends with its process, and a note of where its API answers.

The lock is `flock` on `tpscope.lock`: the kernel drops it when the process ends, however it ends, so the note in a free lock is
stale and is written over. A child made by fork without exec would inherit the lock; start children as new programs.
"""

import contextlib
import fcntl
import os
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from core.errors import ConfigError, StoreInUse

LOCK_NAME = "tpscope.lock"
TOKEN_NAME = "tpscope.token"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerInfo:
    """What the owner of a directory says of itself.

    Attributes
    ----------
    api : str
        Address of its API, `http://127.0.0.1:8080`; empty until its web server listens, or when it has none.
    token_file : str
        File with the bearer token of that API; only the owner's own user can read it.
    """

    pid: int
    api: str
    token_file: str
    started_at: datetime

    def __str__(self) -> str:
        where = f" at {self.api}" if self.api else ""
        return f"process {self.pid}{where} (since {self.started_at:%Y-%m-%d %H:%M:%S} UTC)"


class DirectoryLock:
    """The ownership of one directory by this process, from construction to `release`.

    Raises StoreInUse when another process (or another store in this one) has it, ConfigError when the directory cannot be
    made or written. Never waits. Writes the token of the owner's API beside the lock.
    """

    def __init__(self, directory: Path, *, api: str = "") -> None:
        self._directory = directory
        _make_private(directory)
        self._handle = _open_private(directory / LOCK_NAME)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            owner = read_owner(directory)
            raise StoreInUse(str(directory), str(owner) if owner else "another process") from None
        os.ftruncate(self._handle, 0)  # what a former owner left
        self.token = secrets.token_urlsafe(32)
        token_file = directory / TOKEN_NAME
        _write_private(token_file, self.token.encode("ascii"))
        self.info = OwnerInfo(pid=os.getpid(), api=api, token_file=str(token_file.resolve()), started_at=datetime.now(UTC))
        self._write_info()

    def publish_api(self, address: str) -> None:
        """Tell other processes where the owner's API answers, `http://host:port`."""
        self.info = replace(self.info, api=address)
        self._write_info()

    def release(self) -> None:
        """Give the directory up; may be called twice."""
        if self._handle < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            (self._directory / TOKEN_NAME).unlink()
        os.ftruncate(self._handle, 0)
        os.close(self._handle)  # the lock goes with its last handle
        self._handle = -1

    def _write_info(self) -> None:
        # One write of a short text; a reader that still meets half of it reads again.
        note = asdict(self.info) | {"started_at": self.info.started_at.isoformat()}
        text = orjson.dumps(note, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text, 0)


def read_owner(directory: Path) -> OwnerInfo | None:
    """What the lock file says; None where there is none or it is being written. It may be stale: only the lock counts."""
    try:
        note = orjson.loads((directory / LOCK_NAME).read_bytes())
        return OwnerInfo(
            pid=int(note["pid"]),
            api=str(note["api"]),
            token_file=str(note["token_file"]),
            started_at=datetime.fromisoformat(note["started_at"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            "store.url", f"directory {str(directory)!r} cannot be used ({error.strerror}); choose another"
        ) from error


def _open_private(path: Path) -> int:
    """A handle that children do not inherit, of a file that only this user can read."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            "store.url", f"{str(path)!r} cannot be written ({error.strerror}); choose another directory"
        ) from error
    os.fchmod(handle, 0o600)
    return handle


def _write_private(path: Path, content: bytes) -> None:
    handle = _open_private(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, content)
    finally:
        os.close(handle)
