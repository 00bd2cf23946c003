"""Runs `tpscope` as a user would: in a folder of its own, and in a process of its own where that is what is tested."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.support.data import REPOSITORY
from tpscope.cli import main


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The present environment without any tpscope setting, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TPSCOPE_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", "NO_COLOR": "1", **(extra or {})}


def run(
    folder: Path, *arguments: str, timeout_s: float = 120, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; standard input is empty."""
    return subprocess.run(
        [sys.executable, "-m", "tpscope", *arguments],
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_here(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The same as `run`, in this process: for what a command does, where it is not the process that is tested.

    A process of its own takes a second to start, and the embedded engine with it.
    """
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before = sys.argv, dict(os.environ)
    sys.argv = ["tpscope", *arguments]
    os.environ.clear()
    os.environ.update(environment(env))
    try:
        with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    code = ended.value.code
    assert isinstance(code, int)
    said = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(["tpscope", *arguments], code, *said)


@contextmanager
def running(
    folder: Path, *arguments: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until the block ends, then gets SIGTERM (SIGKILL after 30 s); output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tpscope", *arguments],
            cwd=folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The single line of a refused command: exit 2, nothing on stdout, no traceback."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert result.stdout == ""
    assert lines[0].startswith("tpscope: ")
    return lines[0]
