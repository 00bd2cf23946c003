"""A ClickHouse server for tests: the native TCP protocol in front of the embedded engine of the `chdb` wheel.

It is the same ClickHouse that a server of that version runs, reached by clickhouse-driver through a socket, so that the
server adapter is tested with current SQL, deduplication of inserts, errors with their codes, and broken connections,
where no ClickHouse server can be installed. Run as `python -m tests.support.clickhouse_native --port P --path DIR`.

What it does not do: compression, external tables, progress and profile packets, cancelling a running query, users other
than the one it is started with, and columns of AggregateFunction, Variant, Dynamic or JSON types (a clear exception says so).
"""

import argparse
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.data import REPOSITORY
from tpscope.guarded import GuardedProcess, accepts_connections, free_port


class ClickHouseNativeServer:
    """The server in a child process. A context manager; leaving it removes the data unless `path` was given.

    Parameters
    ----------
    path : Path or None
        The engine's directory; None: a temporary one.
    user, password : str
        Who may connect.
    tls : tuple of Path or None
        Certificate and key files; None: no TLS.

    `start` after `stop` or `kill` comes back on the same port with the same data.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        user: str = "default",
        password: str = "",
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tpscope-clickhouse-"))
        self.log = self._folder / "server.log"
        self.path = path or self._folder / "data"
        self.port = free_port()
        self._user = user
        self._password = password
        self._tls = tls
        self._process: GuardedProcess | None = None

    @property
    def url(self) -> str:
        """Where clients connect to, with the database `default`."""
        return self.url_of("default")

    def url_of(self, database: str) -> str:
        """Where clients connect to for a database."""
        scheme = "clickhouses" if self._tls else "clickhouse"
        secret = f":{self._password}" if self._password else ""
        return f"{scheme}://{self._user}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def running(self) -> bool:
        """Whether the server's process is up."""
        return self._process is not None and self._process.running

    def start(self, timeout_s: float = 30.0) -> None:
        """Start the server; returns when it accepts clients. Raises RuntimeError with the log's end when it does not."""
        if self.running:
            return
        command = [sys.executable, "-m", "tests.support.clickhouse_native"]
        command += ["--port", str(self.port), "--path", str(self.path), "--user", self._user]
        if self._tls:
            command += ["--tls-cert", str(self._tls[0]), "--tls-key", str(self._tls[1])]
        environment = {**os.environ, "TPSCOPE_TEST_PASSWORD": self._password}
        self._process = GuardedProcess(command, log=self.log, env=environment, cwd=REPOSITORY)
        if not self._process.wait_ready(lambda: accepts_connections(self.port), timeout_s):
            self._process.kill()
            raise RuntimeError(f"the ClickHouse test server did not start:\n{self._process.tail()}")

    def stop(self) -> None:
        """Stop the server cleanly; its data stay."""
        if self._process is not None:
            self._process.stop()
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
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="ClickHouse's native protocol in front of the embedded engine, for tests")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True, help="the engine's directory")
    parser.add_argument("--user", default="default")
    parser.add_argument("--tls-cert", default="")
    parser.add_argument("--tls-key", default="")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    # Imported here: the test process uses only the class above and must not load the engine a second time.
    from tests.support.native.server import Options, Server

    Server(
        Options(
            port=options.port,
            path=options.path,
            user=options.user,
            password=os.environ.get("TPSCOPE_TEST_PASSWORD", ""),
            tls_cert=options.tls_cert,
            tls_key=options.tls_key,
        )
    ).serve()


if __name__ == "__main__":
    main()
