"""A real ClickHouse server, of the old version that Debian packages (18.16), in a child process.

It shows that the server adapter speaks with a server that we did not write; what is newer than 18.16 is tested with
`ClickHouseNativeServer`. Known limits of 18.16: no LowCardinality without a setting, no Map, no Bool, no DateTime64, no
query parameters, no deduplication outside of replicated tables.
"""

import os
import shutil

from tests.support.child_server import ChildServer
from tests.support.engines import EngineMissing

# Loopback only; no HTTP port and no port for replicas.
_CONFIG = """<?xml version="1.0"?>
<yandex>
    <logger><level>warning</level><console>1</console></logger>
    <listen_host>127.0.0.1</listen_host>
    <tcp_port>{port}</tcp_port>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <user_files_path>{folder}/user_files/</user_files_path>
    <users_config>{folder}/users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <timezone>UTC</timezone>
    <mark_cache_size>67108864</mark_cache_size>
</yandex>
"""
_USERS = """<?xml version="1.0"?>
<yandex>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password>{password}</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </default>
    </users>
</yandex>
"""


class ClickHouse18(ChildServer):
    """The server, for the user `default`. Raises EngineMissing where it is not installed."""

    def __init__(self, *, password: str = "") -> None:
        self._binary = _find_binary()
        self._password = password
        super().__init__("clickhouse18")

    @property
    def url(self) -> str:
        """Where clients connect to, with the database `default`."""
        return self.url_of("default")

    def url_of(self, database: str) -> str:
        """Where clients connect to for a database."""
        secret = f":{self._password}" if self._password else ""
        return f"clickhouse://default{secret}@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        """The server in the foreground."""
        return [self._binary, f"--config-file={self.folder / 'config.xml'}"]

    def lay_out(self) -> None:
        """Write the server's two configuration files."""
        (self.folder / "config.xml").write_text(_CONFIG.format(port=self.port, folder=self.folder), "utf-8")
        (self.folder / "users.xml").write_text(_USERS.format(password=self._password), "utf-8")


def _find_binary() -> str:
    # Debian puts it where only root looks by default.
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    if (binary := shutil.which("clickhouse-server", path=search)) is None:
        raise EngineMissing("clickhouse-server is not installed: apt-get install clickhouse-server")
    return binary
