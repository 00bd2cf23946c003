"""What people do to Kafka's topics and groups."""

from collections.abc import Iterable, Mapping

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from tests.support.topics import answered
from tests.support.wait import wait_until


class Operator:
    """What an operator and a gateway do; each returns when the broker has done it. `close` it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self._producer = self._new_producer()

    def close(self) -> None:
        self._producer.close()
        self._admin.close()

    def write(self, topic: str, values: Iterable[bytes], partition: int = 0) -> None:
        """Write to one partition."""
        sent = [self._producer.send(topic, value, partition=partition) for value in values]
        self._producer.flush(timeout=30)
        for one in sent:
            one.get(timeout=0)

    def create(self, topic: str, partitions: int = 1, **configs: str) -> None:
        self._admin.create_topics(
            {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": _dotted(configs)}},
            wait_for_metadata=True,
        )

    def delete(self, topic: str) -> None:
        self._admin.delete_topics([topic])
        wait_until(lambda: topic not in self._admin.list_topics(), 60, f"the end of {topic}")

    def add_partitions(self, topic: str, count: int) -> None:
        self._admin.create_partitions({topic: count})
        wait_until(lambda: len(self._admin.describe_topics([topic])[0]["partitions"]) == count, 60, "the partitions")
        self._producer.close()
        self._producer = self._new_producer()  # the old one does not know of them yet

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        self._admin.delete_records({TopicPartition(topic, partition): before}, timeout_ms=10_000)

    def set_group(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        places = {TopicPartition(*at): OffsetAndMetadata(offset, "", -1) for at, offset in offsets.items()}
        answers = answered(lambda: self._admin.alter_group_offsets(group, places))
        assert all(error.errno == 0 for error in answers.values()), answers

    def committed(self, group: str, topic: str, partition: int = 0) -> int | None:
        """The group's offset; None where it has none."""
        place = TopicPartition(topic, partition)
        offsets = answered(lambda: self._admin.list_group_offsets({group: [place]}))
        offset = int(offsets[group][place].offset)
        return offset if offset >= 0 else None

    def delete_group(self, group: str) -> None:
        answers = self._admin.delete_groups([group])
        assert set(answers.values()) == {"OK"}, answers

    def _new_producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=False)  # topics are made anew under it


def _dotted(configs: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in configs.items()}
