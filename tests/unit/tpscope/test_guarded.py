"""Child processes end with us, however we end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wait import wait_until
from tpscope.guarded import GuardedProcess, accepts_connections, free_port

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_output_goes_to_the_log_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    process = GuardedProcess([sys.executable, "-c", "print('hello'); raise SystemExit(3)"], log=tmp_path / "log")
    assert process.wait(10) == 3
    assert not process.running
    assert process.tail() == "hello"


def test_stop_insists_when_a_child_does_not_listen(tmp_path: Path) -> None:
    process = GuardedProcess([sys.executable, "-c", STUBBORN], log=tmp_path / "log")
    assert process.wait_ready(lambda: process.tail() == "ready", timeout_s=10)
    assert alive(process.pid)
    assert process.stop(timeout_s=0.2) == 128 + 9
    assert not alive(process.pid)


def test_a_child_that_ends_early_is_not_waited_for(tmp_path: Path) -> None:
    process = GuardedProcess([sys.executable, "-c", "raise SystemExit('no licence')"], log=tmp_path / "log")
    assert not process.wait_ready(lambda: False, timeout_s=60)
    assert process.tail() == "no licence"
    process.stop()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no-such-program could not be started"):
        GuardedProcess(["no-such-program"], log=tmp_path / "log")


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tpscope.guarded import GuardedProcess\n"
        f"child = GuardedProcess([sys.executable, '-c', {STUBBORN!r}], log=Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=30, check=False)
    assert parent.returncode == -9
    wait_until(lambda: not alive(int(parent.stdout)), 10.0, "the end of the orphan")


def test_nobody_listens_on_a_free_port() -> None:
    assert not accepts_connections(free_port())
