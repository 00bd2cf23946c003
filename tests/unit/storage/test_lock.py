"""Ownership of the embedded directory, with real processes."""

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.config import StoreSettings
from core.errors import ConfigError, StoreInUse, StoreUnavailable
from storage.lock import LOCK_NAME, TOKEN_NAME, DirectoryLock, read_owner
from storage.open import api_token, open_store, publish_api
from tests.support.owner import owner
from tests.support.wait import wait_until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def settings(directory: Path) -> StoreSettings:
    return StoreSettings(url=f"chdb://{directory}")


def test_only_this_user_can_read_token_and_directory(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "store"
    lock = DirectoryLock(directory, api="http://127.0.0.1:1")
    assert (mode(directory), mode(directory / LOCK_NAME), mode(directory / TOKEN_NAME)) == (0o700, 0o600, 0o600)
    assert (directory / TOKEN_NAME).read_text() == lock.token
    assert len(lock.token) >= 32
    lock.release()


def test_a_directory_and_files_that_were_open_to_others_are_closed(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    directory.mkdir(mode=0o755)
    for name in (LOCK_NAME, TOKEN_NAME):
        (directory / name).write_text("x")
        (directory / name).chmod(0o644)
    lock = DirectoryLock(directory)
    assert (mode(directory), mode(directory / LOCK_NAME), mode(directory / TOKEN_NAME)) == (0o700, 0o600, 0o600)
    lock.release()


def test_the_note_names_the_owner(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    note = json.loads((tmp_path / LOCK_NAME).read_text())
    assert note == {"pid": os.getpid(), "api": "", "token_file": str(tmp_path / TOKEN_NAME), "started_at": note["started_at"]}
    assert read_owner(tmp_path) == lock.info
    lock.publish_api("http://127.0.0.1:8080")
    assert read_owner(tmp_path) == lock.info
    assert lock.info.api == "http://127.0.0.1:8080"
    lock.release()
    lock.release()  # a second time does nothing
    assert read_owner(tmp_path) is None
    assert not (tmp_path / TOKEN_NAME).exists()


def test_a_second_owner_in_another_process_is_refused_in_one_line(tmp_path: Path) -> None:
    with owner(tmp_path) as other:
        other.publish("http://127.0.0.1:8080")
        with pytest.raises(StoreInUse) as refused:
            open_store(settings(tmp_path), owner=True)
    message = str(refused.value)
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}: is in use by process {other.pid} at http://127\.0\.0\.1:8080 \(since [-0-9: ]+ UTC\); "
        "stop that process or choose another directory",
        message,
    )


def test_a_killed_owner_leaves_the_directory_free(tmp_path: Path) -> None:
    with owner(tmp_path) as other:
        other.publish("http://127.0.0.1:8080")
        other.kill()
        stale = read_owner(tmp_path)
        assert stale is not None
        assert stale.pid == other.pid  # its note is still there
        lock = DirectoryLock(tmp_path)
        assert lock.info.pid == os.getpid()
        assert read_owner(tmp_path) == lock.info
        lock.release()


def test_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lock.release()
        DirectoryLock(tmp_path).release()
        child.kill()


def test_each_owner_has_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(3):
        lock = DirectoryLock(tmp_path)
        tokens.add(lock.token)
        lock.release()
    assert len(tokens) == 3


def test_half_a_note_is_no_note(tmp_path: Path) -> None:
    for text in ("", '{"pid": 1', "[]", "{}", '{"pid": "x", "api": "", "token_file": "", "started_at": ""}'):
        (tmp_path / LOCK_NAME).write_text(text)
        assert read_owner(tmp_path) is None


def test_a_place_that_cannot_be_a_directory_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"^store.url: directory '.*/file/store' cannot be used \(Not a directory\)"):
        open_store(settings(tmp_path / "file" / "store"), owner=True)
    with pytest.raises(ConfigError, match="question mark"):
        open_store(settings(tmp_path / "what?"), owner=True)
    with pytest.raises(ConfigError, match="question mark"):  # and the lock was given back
        open_store(settings(tmp_path / "what?"), owner=True)


def test_without_an_owner_a_command_opens_the_store_itself(tmp_path: Path) -> None:
    store = open_store(settings(tmp_path), owner=False)
    assert store.capabilities.name == "chdb"
    assert api_token(store)
    publish_api(store, "http://127.0.0.1:9")
    info = read_owner(tmp_path)
    assert info is not None
    assert info.api == "http://127.0.0.1:9"
    store.close()
    DirectoryLock(tmp_path).release()


def test_a_command_reaches_the_store_through_its_owner(tmp_path: Path) -> None:
    with owner(tmp_path, store=True) as other:
        other.publish()
        store = open_store(settings(tmp_path), owner=False)
        assert store.capabilities.name == "remote"
        assert api_token(store) == ""
        store.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        store.command("INSERT INTO t VALUES (7)")
        assert store.arrow("SELECT a FROM t").to_pylist() == [{"a": 7}]
        store.close()
        other.kill()
    store = open_store(settings(tmp_path), owner=True)  # what was written is there, crash or not
    assert store.arrow("SELECT a FROM t").to_pylist() == [{"a": 7}]
    store.close()


def test_a_command_waits_for_an_owner_that_has_just_started(tmp_path: Path) -> None:
    with owner(tmp_path, store=True) as other:
        opened = []
        waiting = threading.Thread(target=lambda: opened.append(open_store(settings(tmp_path), owner=False, wait_s=30)))
        waiting.start()
        with pytest.raises(AssertionError):
            wait_until(lambda: bool(opened), 0.3)  # it cannot know the address yet
        other.publish()
        waiting.join(30)
        assert [store.capabilities.name for store in opened] == ["remote"]
        opened[0].close()


def test_a_command_does_not_wait_for_ever(tmp_path: Path) -> None:
    with owner(tmp_path) as other:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match=rf"process {other.pid} \(since .*\) owns it and has no API; try again"):
            open_store(settings(tmp_path), owner=False, wait_s=0.3)
        with pytest.raises(StoreInUse, match=f"process {other.pid}"):
            open_store(settings(tmp_path), owner=True, wait_s=0.3)
        assert 0.6 <= time.monotonic() - begun < 10


def test_an_owner_waits_for_a_short_command_to_end(tmp_path: Path) -> None:
    with owner(tmp_path) as other:
        opened = []
        waiting = threading.Thread(target=lambda: opened.append(open_store(settings(tmp_path), owner=True, wait_s=30)))
        waiting.start()
        other.release()
        waiting.join(30)
        assert [store.capabilities.name for store in opened] == ["chdb"]
        opened[0].close()
