"""`tpscope import` on a terminal: a bar while it runs, and an interrupt that can be gone on from."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.call_records import call_records
from storage.calls import count_calls
from tests.support.data import REPOSITORY
from tests.support.stores import chdb_store

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


def test_a_bar_shows_how_far_the_file_is_and_an_interrupt_can_be_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "calls.ndjson"
    path.write_bytes(b"\n".join(call_records(200_000)))
    said, status = on_terminal(tmp_path, path, interrupt=b"calls.ndjson")
    assert status == 130
    assert b"interrupted; the same command goes on from here" in said
    said, status = on_terminal(tmp_path, path)
    assert status == 0, said
    assert b"calls.ndjson" in said
    assert b"100%" in said
    assert b"rows imported" in said
    with chdb_store(tmp_path) as store:
        assert count_calls(store) == 200_000


def on_terminal(folder: Path, path: Path, interrupt: bytes = b"") -> tuple[bytes, int]:
    """What the import writes to its terminal, and its exit status; interrupted as soon as it has written something."""
    # We must read sooner than it writes: on a busy machine it would be done before it is interrupted.
    command = [
        "nice",
        "-n",
        "15",
        sys.executable,
        "-m",
        "tpscope",
        "import",
        str(path),
        "--store",
        f"chdb://{folder / 'store'}",
    ]
    ours, its = pty.openpty()
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=its, stderr=its, env={**os.environ, "COLUMNS": "120"}) as process:
        os.close(its)
        said = b""
        while True:
            try:
                said += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if interrupt and interrupt in said:
                process.send_signal(signal.SIGINT)
                interrupt = b""
        os.close(ours)
        status = process.wait(30)
    return ESCAPES.sub(b"", said), status
