"""What all servers that tests start have in common."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tpscope.guarded import GuardedProcess, accepts_connections, free_port

_STARTS = 3  # a port found free can be taken by somebody else before the server binds it


class ChildServer(ABC):
    """A server in a child process on a port of 127.0.0.1, with its data in a folder of its own.

    `start` after `stop` or `kill` comes back on the same port with the same data. A context manager; leaving it removes
    the data. The server ends with this process, however that ends.

    Attributes
    ----------
    folder, log : Path
        Where the server keeps its files, and what it says.
    port : int
        The port it listens on; 0 before the first start.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"tpscope-{name}-"))
        self.log = self.folder / "server.log"
        self.port = 0
        self._process: GuardedProcess | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""

    def lay_out(self) -> None:  # noqa: B027 - not every server needs files
        """Write the files that the server needs; called once its port is chosen."""

    def environment(self) -> dict[str, str] | None:
        """The server's environment; None: ours."""
        return None

    def working_folder(self) -> Path:
        """The folder that the server is run in."""
        return self.folder

    @property
    def running(self) -> bool:
        """Whether the server's process is up."""
        return self._process is not None and self._process.running

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the server; returns when it accepts clients. Raises RuntimeError with the log's end when it does not."""
        if self.running:
            return
        first = self.port == 0
        said = ""
        for _ in range(_STARTS if first else 1):
            if first:
                self.port = free_port()
                self.lay_out()
            self._process = self._launch(self.command())
            if self._process.wait_ready(lambda: accepts_connections(self.port), timeout_s):
                return
            self._process.kill()
            said = self._process.tail()
        raise RuntimeError(f"{self.name} did not start; its log ends with:\n{said}")

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop the server cleanly; its data stay."""
        if self._process is not None:
            self._process.stop(timeout_s)
            self._process = None

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop cleanly if it runs, and start again on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _launch(self, command: list[str]) -> GuardedProcess:
        return GuardedProcess(command, log=self.log, env=self.environment(), cwd=self.working_folder())
