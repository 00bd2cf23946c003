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
from types import TracebackType
from typing import Self

from tests.support.data import REPOSITORY
from tests.support.topics import create_topic
from tpscope.guarded import GuardedProcess, accepts_connections, free_port

_FILES = Path(__file__).parent / "kafka"
_CLUSTER_ID = "dHBzY29wZS10ZXN0cy0wMQ"  # any 16 bytes in base64
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", f"-Dlog4j2.configurationFile={_FILES / 'log4j2.properties'}"]
_STARTS = 3  # a port found free can be taken by somebody else before the broker binds it


class EngineMissing(Exception):
    """An engine of the tests is not on this machine; the message says what to install."""


class KafkaBroker:
    """One Kafka node (KRaft) on 127.0.0.1, with its data in a folder of its own.

    `start` after `stop` or `kill` comes back on the same port with the same data. A start takes about 2 s, and about
    4 s after `kill`, when the node waits for the end of its former session. A context manager; leaving it removes the data.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tpscope-kafka-"))
        self.log = self._folder / "kafka.log"
        self._jars = jars()
        self._port = 0
        self._process: GuardedProcess | None = None

    @property
    def bootstrap(self) -> str:
        """What Kafka clients take as `bootstrap_servers`."""
        return f"127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the node's process is up."""
        return self._process is not None and self._process.running

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the node; returns when it serves clients. Raises RuntimeError with the log's end when it does not."""
        if self.running:
            return
        first = self._port == 0
        said = ""
        for _ in range(_STARTS if first else 1):
            if first:
                self._lay_out()
            self._process = self._launch("kafka.Kafka", str(self._properties))
            # The port opens last, once the node has caught up and may serve.
            if self._process.wait_ready(lambda: accepts_connections(self._port), timeout_s):
                return
            self._process.kill()
            said = self._process.tail()
        raise RuntimeError(f"Kafka did not start; its log ends with:\n{said}")

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop the node cleanly; its data stay."""
        if self._process is not None:
            self._process.stop(timeout_s)
            self._process = None

    def kill(self) -> None:
        """End the node at once (SIGKILL), as a crash would; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Stop cleanly if it runs, and start again on the same port and data."""
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic; returns when its partitions can be written."""
        create_topic(self.bootstrap, name, partitions)

    def close(self) -> None:
        """End the node and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _lay_out(self) -> None:
        self._port, controller_port = free_port(), free_port()
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        template = (_FILES / "server.properties").read_text("utf-8")
        self._properties.write_text(template.format(port=self._port, controller_port=controller_port, data=data), "utf-8")
        tool = self._launch("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties))
        if code := tool.wait(60.0):
            raise RuntimeError(f"Kafka's data folder could not be formatted (exit {code}):\n{tool.tail()}")

    def _launch(self, main_class: str, *arguments: str) -> GuardedProcess:
        command = ["java", *_JVM, "-cp", f"{self._jars}/*", main_class, *arguments]
        return GuardedProcess(command, log=self.log, cwd=self._folder)


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
