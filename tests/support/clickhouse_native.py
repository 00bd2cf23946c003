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
import sys
from pathlib import Path

from tests.support.child_server import ChildServer
from tests.support.data import REPOSITORY

_MODULE = "tests.support.clickhouse_native"
_PASSWORD_VARIABLE = "TPSCOPE_TEST_PASSWORD"


class ClickHouseNativeServer(ChildServer):
    """The server for one user, with TLS when `tls` names a certificate file and its key file.

    Attributes
    ----------
    faults : str
        `SHARE:SEED` of inserts that are refused or cut (tests/support/native/faults.py), from the next start on; empty: none.
    """

    def __init__(self, *, user: str = "default", password: str = "", tls: tuple[Path, Path] | None = None) -> None:
        self._user = user
        self._password = password
        self._tls = tls
        self.faults = ""
        super().__init__("clickhouse")

    @property
    def url(self) -> str:
        """Where clients connect to, with the database `default`."""
        return self.url_of("default")

    def url_of(self, database: str) -> str:
        """Where clients connect to for a database."""
        scheme = "clickhouses" if self._tls else "clickhouse"
        secret = f":{self._password}" if self._password else ""
        return f"{scheme}://{self._user}{secret}@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        """This module, as a program."""
        tls = ["--tls-cert", str(self._tls[0]), "--tls-key", str(self._tls[1])] if self._tls else []
        place = ["--port", str(self.port), "--path", str(self.folder / "data")]
        return [sys.executable, "-m", _MODULE, *place, "--user", self._user, "--faults", self.faults, *tls]

    def environment(self) -> dict[str, str]:
        """Ours and the password, which does not belong into a command line."""
        return {**os.environ, _PASSWORD_VARIABLE: self._password}

    def working_folder(self) -> Path:
        """Where the module is found."""
        return REPOSITORY


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="ClickHouse's native protocol in front of the embedded engine, for tests")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True, help="the engine's directory")
    parser.add_argument("--user", default="default")
    parser.add_argument("--tls-cert", default="")
    parser.add_argument("--tls-key", default="")
    parser.add_argument("--faults", default="", help="SHARE:SEED of inserts that are refused or cut")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    # Imported here: the test process uses only the class above and must not load the engine a second time.
    from tests.support.native.server import Options, Server

    Server(
        Options(
            port=options.port,
            path=options.path,
            user=options.user,
            password=os.environ.get(_PASSWORD_VARIABLE, ""),
            tls_cert=options.tls_cert,
            tls_key=options.tls_key,
            faults=options.faults,
        )
    ).serve()


if __name__ == "__main__":
    main()
