"""Consumers killed at random instants, brokers and stores that go away, inserts that fail: every record once, everywhere.

Each run has a seed; `TPSCOPE_CHAOS_SEED=7` repeats one, as far as a race can be repeated.
"""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.config import StoreSettings
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tests.integration.chaos import PARTITIONS, Feeder, Member, check, feeding, in_topic, wait_for_the_end
from tests.integration.chaos_child import Options
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.kafka_broker import KafkaBroker
from tests.support.stores import chdb_store

pytestmark = pytest.mark.timeout(1_800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything: `kills` of consumers; every so many kills the broker, the store is killed as well, but once
    in any case. `members` is the most consumers of a server.
    """

    records: int
    kills: int
    per_second: int
    broker_every: int
    store_every: int
    members: int
    longest_s: float


SHORT = Plan(records=20_000, kills=6, per_second=2_500, broker_every=100, store_every=100, members=2, longest_s=0.3)
LONG = Plan(records=500_000, kills=60, per_second=1_500, broker_every=10, store_every=7, members=3, longest_s=3.0)
SHORT_SERVER = replace(SHORT, records=10_000, kills=4)  # starting several consumers takes its time
PLANS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.soak)]


@pytest.mark.parametrize("plan", PLANS)
def test_chaos_on_the_embedded_store(
    own_kafka_broker: KafkaBroker, unique_name: Callable[[str], str], tmp_path: Path, plan: Plan
) -> None:
    broker, topic, seed = own_kafka_broker, unique_name("chaos"), _seed()
    rng = random.Random(seed)
    broker.create_topic(topic, PARTITIONS)
    options = _options(f"chdb://{tmp_path / 'store'}", broker, topic, faults=0.05)
    member = Member("consumer", options, tmp_path / "consumer.log", rng)
    broker_kills = 0
    with _told(seed, member), feeding(broker.bootstrap, topic, plan.records, plan.per_second) as feeder:
        while member.kills < plan.kills:
            member.start()
            _random_instant(member, rng, plan)
            member.kill()
            if rng.random() < 1 / plan.broker_every or (broker_kills == 0 and member.kills > plan.kills // 2):
                broker_kills += 1
                broker.kill()
                if rng.random() < 0.5:
                    member.start()
                broker.start()
        _finish(broker, topic, feeder, [member])
    with chdb_store(tmp_path) as store:
        check(store, plan.records)
    _report("embedded", plan, [member], f"{broker_kills} of the broker", seed)


@pytest.mark.parametrize("plan", [pytest.param(SHORT_SERVER, id="short"), *PLANS[1:]])
def test_chaos_of_several_consumers_on_a_server(
    own_kafka_broker: KafkaBroker,
    own_clickhouse_native: ClickHouseNativeServer,
    unique_name: Callable[[str], str],
    tmp_path: Path,
    plan: Plan,
) -> None:
    broker, server, topic, seed = own_kafka_broker, own_clickhouse_native, unique_name("chaos"), _seed()
    rng = random.Random(seed)
    broker.create_topic(topic, PARTITIONS)
    with open_server(server) as store:
        migrate(store)
    _restart(server, f"0.05:{seed}")
    members = [
        Member(f"consumer {number}", _options(server.url, broker, topic, client=client), tmp_path / f"{number}.log", rng)
        for number, client in enumerate(("kafka-python", "confluent", "kafka-python"))
    ]
    broker_kills = server_kills = left = 0
    with _told(seed, *members), feeding(broker.bootstrap, topic, plan.records, plan.per_second) as feeder:
        while sum(one.kills for one in members) < plan.kills:
            for one in members[: rng.choice((2, plan.members))]:
                one.start()
            victim = rng.choice([one for one in members if one.running])
            _random_instant(victim, rng, plan)
            if rng.random() < 0.2:
                left += 1
                victim.leave()
                continue
            victim.kill()
            kills = sum(one.kills for one in members)
            if rng.random() < 1 / plan.broker_every or (broker_kills == 0 and kills > plan.kills // 2):
                broker_kills += 1
                broker.kill()
                broker.start()
            if rng.random() < 1 / plan.store_every or (server_kills == 0 and kills > plan.kills // 2):
                server_kills += 1
                _restart(server, f"0.05:{rng.random()}")
        _restart(server, "")
        _finish(broker, topic, feeder, members)
    with open_server(server) as store:
        check(store, plan.records)
    also = f"{broker_kills} of the broker, {server_kills} of the store, {left} consumers left"
    _report("server", plan, members, also, seed)


def open_server(server: ClickHouseNativeServer) -> "contextlib.closing[Store]":
    return contextlib.closing(open_store(StoreSettings(url=server.url), owner=True))


def _restart(server: ClickHouseNativeServer, faults: str) -> None:
    server.kill()
    server.faults = faults
    server.start()


def _seed() -> int:
    return int(os.environ.get("TPSCOPE_CHAOS_SEED") or random.randrange(10_000))


def _options(url: str, broker: KafkaBroker, topic: str, *, client: str = "kafka-python", faults: float = 0.0) -> Options:
    return Options(url=url, brokers=broker.bootstrap, topic=topic, client=client, batch_records=1, store_faults=faults, seed=0)


def _random_instant(member: Member, rng: random.Random, plan: Plan) -> None:
    """Somewhere in its life: while it starts, joins, reads; mostly, in the middle of writing. The wait is the fault itself."""
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0, plan.longest_s * 2))
        return
    begun = member.inserts + rng.randint(1, 4)
    member.wait_for(lambda one: one.inserts >= begun, 15)
    time.sleep(rng.choice((0.02, 0.2, plan.longest_s)) * rng.random())


def _finish(broker: KafkaBroker, topic: str, feeder: Feeder, members: list[Member]) -> None:
    """Everything works again: the rest is produced, read and written, and the consumers end."""
    feeder.hurry()
    for one in members:
        one.start()
    feeder.finish(300)
    assert in_topic(broker.bootstrap, topic) == feeder.records, "the producer wrote a record twice"

    def tend() -> None:
        for one in members:
            one.start()

    wait_for_the_end(broker.bootstrap, topic, feeder.records, tend, 120)
    for one in members:
        one.leave()


@contextlib.contextmanager
def _told(seed: int, *members: Member) -> Iterator[None]:
    """A failure names the seed and what the consumers said; they end in any case."""
    print(f"TPSCOPE_CHAOS_SEED={seed}")
    try:
        yield
    except BaseException:
        for one in members:
            print(f"--- {one.name}\n{one.tail()}")
        raise
    finally:
        for one in members:
            one.kill()


def _report(engine: str, plan: Plan, members: list[Member], also: str, seed: int) -> None:
    kills, starts = sum(one.kills for one in members), sum(one.starts for one in members)
    print(
        f"RESULT name=chaos engine={engine} records={plan.records} kills={kills} starts={starts} lost=0 doubled=0 "
        f"({also}; seed {seed})"
    )
