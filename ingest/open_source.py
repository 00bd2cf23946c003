"""Opens the configured Kafka client as a source."""

from core.config import KafkaSettings
from core.errors import ConfigError
from ingest.kafka_source import KafkaSource
from ingest.source import Source


def open_source(settings: KafkaSettings) -> Source:
    """A member of the configured group, of the configured client.

    Raises
    ------
    ConfigError
        No brokers are configured, they refuse the login, or the client is not installed.
    BrokerUnavailable
        No broker answers within `settings.connect_timeout`.
    """
    if settings.client == "kafka-python":
        return KafkaSource(settings)
    try:
        from ingest.confluent_source import ConfluentSource
    except ImportError as error:
        raise ConfigError("kafka.client", "needs the extra `confluent`: pip install 'tpscope[confluent]'") from error
    return ConfluentSource(settings)
