"""One active jobs process by Kafka's group protocol, with epochs that only grow."""

import threading
from typing import Any

import pytest

from core.config import KafkaSettings
from ingest.kafka_client import open_client
from tests.support.kafka_broker import KafkaBroker
from tests.support.wait import wait_until
from tpscope.leader import KafkaLeader, SoleLeader

pytestmark = pytest.mark.kafka


class Claims:
    """Epochs as the store hands them out: above every one before."""

    def __init__(self) -> None:
        self.highest = 7
        self._lock = threading.Lock()

    def __call__(self, generation: int) -> int:
        with self._lock:
            self.highest = max(generation, self.highest + 1)
            return self.highest


def start(settings: KafkaSettings, claims: Claims) -> tuple[KafkaLeader, threading.Event, threading.Thread]:
    leader, stop = KafkaLeader(settings, claims, open_client), threading.Event()
    thread = threading.Thread(target=leader.run, args=(stop,))
    thread.start()
    return leader, stop, thread


def test_one_leads_and_the_other_takes_over_with_a_higher_epoch(kafka_broker: KafkaBroker) -> None:
    settings = KafkaSettings(brokers=(kafka_broker.bootstrap,), control_topic="control-a", group="leader-test")
    claims = Claims()
    members: list[tuple[KafkaLeader, threading.Event, threading.Thread]] = []
    try:
        members.append(start(settings, claims))
        wait_until(lambda: members[0][0].epoch() is not None, 60, "the first leader")
        members.append(start(settings, claims))

        def leading() -> list[Any]:
            return [member for member in members if member[0].epoch() is not None]

        wait_until(lambda: len(leading()) == 1, 60, "one leader of two")
        active = leading()[0]
        before = active[0].epoch()
        active[1].set()
        active[2].join(20)
        assert active[0].epoch() is None
        wait_until(lambda: len(leading()) == 1, 60, "the other to take over")
        assert leading()[0][0].epoch() > before > 7
    finally:
        for _, stop, _ in members:
            stop.set()
        for _, _, thread in members:
            thread.join(20)
    assert not any(thread.is_alive() for _, _, thread in members)


def test_the_embedded_owner_is_always_active() -> None:
    assert SoleLeader(Claims()).epoch() == 8
