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
# What `kafka.tools.StorageTool format` writes for a node whose voters stand in its configuration; without a second JVM's start.
_META_PROPERTIES = """version=1
cluster.id=dHBzY29wZS10ZXN0cy0wMQ
node.id=1
directory.id=dHBzY29wZS10ZXN0cy0wMg
"""
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={_FILES / 'log4j2.properties'}"]
_START_FAST = "-XX:TieredStopAtLevel=1"  # nearly halves the work of a start


class KafkaBroker(ChildServer):
    """One Kafka node (KRaft). It starts in about 2 s, and in 4 s after `kill`: it waits for the end of its former session.

    Parameters
    ----------
    optimized : bool
        Let the JVM optimize fully, for measurements; it starts more slowly.

    Raises EngineMissing where Java or the jars are missing.
    """

    def __init__(self, *, optimized: bool = False) -> None:
        self._jars = jars()
        self._jvm = _JVM if optimized else [*_JVM, _START_FAST]
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
        return ["java", *self._jvm, "-cp", f"{self._jars}/*", "kafka.Kafka", str(self._properties)]

    def lay_out(self) -> None:
        """Write the configuration and an empty data folder."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        (data / "meta.properties").write_text(_META_PROPERTIES, "utf-8")
        template = (_FILES / "server.properties").read_text("utf-8")
        self._properties.write_text(template.format(port=self.port, controller_port=free_port(), data=data), "utf-8")

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"


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
