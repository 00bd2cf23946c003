"""Where simulated records go: a file, standard output, or a Kafka topic."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError

_SEND_TIMEOUT_S = 10.0

OpenClient = Callable[..., Any]
"""Makes a client of kafka-python of its class, the settings and its own options; says in one line why it cannot."""


class Sink(Protocol):
    """Takes records. May block while what is behind it is slow; raises BrokerUnavailable or ConfigError."""

    def send(self, records: Sequence[bytes]) -> None: ...

    def close(self) -> None: ...


class StreamSink:
    """Writes newline-delimited JSON to a file, or to standard output for `-`."""

    def __init__(self, target: str) -> None:
        try:
            self._stream: BinaryIO = sys.stdout.buffer if target == "-" else Path(target).open("wb")  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise ConfigError("--to", f"{target}: cannot be written ({error.strerror})") from error

    def send(self, records: Sequence[bytes]) -> None:
        for record in records:
            self._stream.write(record + b"\n")

    def close(self) -> None:
        self._stream.flush()
        if self._stream is not sys.stdout.buffer:
            self._stream.close()


class KafkaSink:
    """Produces to the configured topic; kafka-python spreads records without a key over the partitions."""

    def __init__(self, settings: KafkaSettings, open_client: OpenClient) -> None:
        if len(settings.topics) != 1:
            raise ConfigError("kafka.topic", f"{settings.topic!r} names no single topic; name the one to write to")
        (self._topic,) = settings.topics
        self._producer = open_client(
            KafkaProducer,
            settings,
            acks="all",
            linger_ms=20,
            max_block_ms=int(_SEND_TIMEOUT_S * 1000),
            request_timeout_ms=int(_SEND_TIMEOUT_S * 1000),
            delivery_timeout_ms=int(_SEND_TIMEOUT_S * 3000),
        )

    def send(self, records: Sequence[bytes]) -> None:
        try:
            pending = [self._producer.send(self._topic, record) for record in records]
            for future in pending:
                future.get(timeout=_SEND_TIMEOUT_S)
        except KafkaError as error:
            raise BrokerUnavailable(f"kafka.topic {self._topic!r}: the broker did not take a record ({error})") from error

    def close(self) -> None:
        self._producer.close(timeout=_SEND_TIMEOUT_S)
