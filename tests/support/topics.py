"""Topics on a test broker, whichever it is."""

import contextlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from tests.support.wait import wait_until

Answer = TypeVar("Answer")


def answered(ask: Callable[[], Answer], timeout_s: float = 60.0) -> Answer:
    """What `ask` returns; asked again while a broker that has just come up does not know its groups or leaders yet.

    Raises AssertionError after `timeout_s`, and at once what asking again would not mend.
    """
    answers: list[Answer] = []
    said: list[KafkaError] = []

    def known() -> bool:
        try:
            answers.append(ask())
        except KafkaError as error:
            if not error.retriable:
                raise
            said.append(error)
        return bool(answers)

    try:
        wait_until(known, timeout_s, "an answer of the broker", step_s=0.1)
    except AssertionError as late:
        raise AssertionError(f"{late}: {said[-1]!r}") from said[-1]
    return answers[0]


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Create a topic of `partitions` partitions; returns when each of them has a leader."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics([NewTopic(name, partitions, 1)])

        def led() -> bool:
            described = admin.describe_topics([name])
            found = described[0]["partitions"] if described else []
            return len(found) == partitions and all(one["error_code"] == 0 and one["leader_id"] >= 0 for one in found)

        wait_until(led, 60, f"a leader for every partition of {name!r}", step_s=0.05)


def produce(bootstrap: str, topic: str, values: Iterable[bytes], partitions: int = 1) -> None:
    """Write `values` in turn to the partitions of a topic; returns when the broker has acknowledged them all."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        sent = [producer.send(topic, value, partition=n % partitions) for n, value in enumerate(values)]
        producer.flush(timeout=30)
        for future in sent:
            future.get(timeout=0)


def read_all(bootstrap: str, topic: str, partitions: int = 1, timeout_s: float = 60.0) -> dict[int, list[bytes]]:
    """All values of a topic by partition, in order, read without a group. Raises AssertionError after `timeout_s`."""
    ours = [TopicPartition(topic, n) for n in range(partitions)]
    values: dict[int, list[bytes]] = {n: [] for n in range(partitions)}
    with contextlib.closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")) as consumer:
        consumer.assign(ours)
        ends = answered(lambda: consumer.end_offsets(ours))

        def complete() -> bool:
            for place, records in consumer.poll(timeout_ms=200).items():
                values[place.partition].extend(record.value for record in records)
            return all(consumer.position(place) >= ends[place] for place in ours)

        wait_until(complete, timeout_s, f"the end of {topic!r}")
    return values
