"""Where the real data sets lie, when they are at hand."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_data(name: str) -> Path:
    """Path of a real data set (a file or folder below the shared data folder); skips the test where it is absent."""
    root = Path(os.environ.get("TPSCOPE_SHARED_DATA", str(REPOSITORY.parent / "shared" / "data")))
    path = root / name
    if not path.exists():
        pytest.skip(f"real data set {name!r} is not here (set TPSCOPE_SHARED_DATA)")
    return path
