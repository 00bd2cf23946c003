"""A real Apache Kafka node in a child process, from jars that Maven fetches once.

`python -m tests.support.kafka_broker fetch` only fetches the jars (about 43 MB) into `.cache/kafka-jars` of the
repository, or into the folder that TPSCOPE_KAFKA_JARS names.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.child_server import ChildServer
from tests.support.data import REPOSITORY
from tests.support.engines import EngineMissing
from tests.support.topics import create_topic
from tpscope.guarded import free_port

_FILES = Path(__file__).parent / "kafka"
_CLUSTER_ID = "dHBzY29wZS10ZXN0cy0wMQ"  # any 16 bytes in base64
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", f"-Dlog4j2.configurationFile={_FILES / 'log4j2.properties'}"]


class KafkaBroker(ChildServer):
    """One Kafka node (KRaft). It starts in about 2 s, and in 4 s after `kill`: it waits for the end of its former session.

    Raises EngineMissing where Java or the jars are missing.
    """

    def __init__(self) -> None:
        self._jars = jars()
        super().__init__("kafka")

    @property
    def bootstrap(self) -> str:
        """What Kafka clients take as `bootstrap_servers`."""
        return f"127.0.0.1:{self.port}"

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic; returns when its partitions can be written."""
        create_topic(self.bootstrap, name, partitions)

    def command(self) -> list[str]:
        """The node; its port opens last, once it has caught up and may serve."""
        return self._java("kafka.Kafka", str(self._properties))

    def lay_out(self) -> None:
        """Write the configuration and format the data folder."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        template = (_FILES / "server.properties").read_text("utf-8")
        self._properties.write_text(template.format(port=self.port, controller_port=free_port(), data=data), "utf-8")
        tool = self._launch(self._java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties)))
        if code := tool.wait(60.0):
            raise RuntimeError(f"Kafka's data folder could not be formatted (exit {code}):\n{tool.tail()}")

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, main_class: str, *arguments: str) -> list[str]:
        return ["java", *_JVM, "-cp", f"{self._jars}/*", main_class, *arguments]


def jars() -> Path:
    """The folder with Kafka's jars, fetched at the first use; raises EngineMissing where they cannot be had."""
    if shutil.which("java") is None:
        raise EngineMissing("Apache Kafka needs Java 17 or later: install a JRE")
    folder = Path(os.environ.get("TPSCOPE_KAFKA_JARS") or REPOSITORY / ".cache" / "kafka-jars")
    folder.mkdir(parents=True, exist_ok=True)
    pom = _FILES / "pom.xml"
    fetched_by = folder / "pom.xml"  # the last file written: the jars beside it are complete and of this list
    with _locked(folder):
        if not (fetched_by.exists() and fetched_by.read_bytes() == pom.read_bytes()):
            _fetch(pom, folder)
            shutil.copyfile(pom, fetched_by)
    return folder


def _fetch(pom: Path, folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise EngineMissing(f"Apache Kafka's jars are not in {folder}: install Maven, it fetches them")
    for old in folder.glob("*.jar"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="tpscope-mvn-") as scratch:
        shutil.copyfile(pom, Path(scratch) / "pom.xml")
        result = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    if result.returncode:
        raise EngineMissing(f"Maven could not fetch Apache Kafka's jars:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: test workers start together."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        sys.exit("usage: python -m tests.support.kafka_broker fetch")
    try:
        print(f"Apache Kafka's jars are in {jars()}")
    except EngineMissing as missing:
        sys.exit(str(missing))
