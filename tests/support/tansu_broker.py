"""The demo's embedded broker with the interface of `KafkaBroker`, for tests that run over both."""

from tests.support.topics import create_topic
from tpscope.broker import EmbeddedBroker


class TansuBroker(EmbeddedBroker):
    """Tansu on 127.0.0.1. It keeps its data in memory: `stop`, `kill` and `restart` lose them."""

    def restart(self) -> None:
        """Start again on the same port, empty."""
        self._wanted_port = self._port or None
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic; returns when its partitions can be written."""
        create_topic(self.bootstrap, name, partitions)

    def close(self) -> None:
        """End the broker."""
        self.stop()
