"""Child processes that end with us.

A server started beside us (the demo's broker) must not stay behind when we are killed or the terminal is closed, and
must not die of the terminal's Ctrl-C before we have closed our connections to it. So it is started by a small guard in
a session of its own: the guard ends the server as soon as the pipe from us closes, however we ended.
"""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_GUARD = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
print(child.pid, flush=True)
def obey():
    for name in sys.stdin:
        child.send_signal(getattr(signal, name.strip()))
    child.kill()
threading.Thread(target=obey, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
"""


class GuardedProcess:
    """A running child process; its output goes to `log`.

    Raises RuntimeError when the program cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        pid = self._guard.stdout.readline() if self._guard.stdout else b""
        if not pid:
            self.stop(timeout_s=5)
            raise RuntimeError(f"{argv[0]} could not be started: {self.tail(3)}")
        self.pid = int(pid)

    @property
    def running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._guard.poll() is None

    def stop(self, timeout_s: float = 10.0) -> int:
        """Ask the child to end (SIGTERM), insist after `timeout_s` seconds (SIGKILL); its exit code."""
        self._signal("SIGTERM")
        try:
            return self._finish(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the child at once (SIGKILL), as a crash would; its exit code."""
        self._signal("SIGKILL")
        return self._finish(30.0)

    def wait(self, timeout_s: float) -> int:
        """Wait until the child ends by itself; its exit code. Raises subprocess.TimeoutExpired after `timeout_s`."""
        return self._finish(timeout_s)

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Poll `ready` until it is true; False when the child ended or `timeout_s` seconds passed first."""
        deadline = time.monotonic() + timeout_s
        while self.running and time.monotonic() < deadline:
            if ready():
                return self.running
            time.sleep(0.02)
        return False

    def tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _signal(self, name: str) -> None:
        if self.running and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it ended between the look and the word
                self._guard.stdin.write(f"{name}\n".encode())
                self._guard.stdin.flush()

    def _finish(self, timeout_s: float) -> int:
        code = self._guard.wait(timeout_s)
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return code


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1:`port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
