"""What takes long to make and is the same for every process of a test run: made by the first that wants it."""

import fcntl
import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def shared(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[], Made]) -> Made:
    """What `make` returns, of this process or of another one of the run; it must be what pickle can keep."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each process has a folder of its own in there
    path = folder / f"{name}.pickle"
    with path.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            found: Made = pickle.loads(path.read_bytes())
            return found
        made = make()
        path.write_bytes(pickle.dumps(made))
    return made
