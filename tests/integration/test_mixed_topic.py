"""A topic that several gateways write to: each call of each message is stored once, what no format knows is a dead letter."""

import itertools
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from core.config import RetentionSettings
from ingest.formats import build_format
from storage.dead_letters import count_dead_letters
from tests.integration.ingesting import consuming, kafka_settings
from tests.support.data import REPOSITORY
from tests.support.kafka_broker import KafkaBroker
from tests.support.stores import chdb_store
from tests.support.topics import create_topic, produce
from tests.support.wait import wait_until

FOLDER = REPOSITORY / "tests" / "data" / "gateways"
PARTITIONS = 2
KEPT = RetentionSettings.model_validate(dict.fromkeys(("calls", "rollups", "seconds"), "7300d"))  # the samples are old


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> None:
    warnings.simplefilter("ignore", ResourceWarning)  # kafka-python leaves its wake-up sockets to the collector


def test_every_call_of_every_message_is_stored_once(
    kafka_broker: KafkaBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    lines = list(itertools.chain.from_iterable(path.read_bytes().splitlines() for path in sorted(FOLDER.glob("*.ndjson"))))
    lines += [orjson.dumps({"message": line.decode(), "host": "node-7", "source_type": "file"}) for line in lines]
    messages = [*lines, b'{"what":"is this"}'] * 20
    topic = unique_name("mixed")
    create_topic(kafka_broker.bootstrap, topic, PARTITIONS)
    produce(kafka_broker.bootstrap, topic, messages, PARTITIONS)
    settings = kafka_settings(kafka_broker.bootstrap, topic, format="auto", batch_records=100)
    expected = build_format("auto", {}).decode(messages)
    with chdb_store(tmp_path, KEPT) as store, consuming(store, settings, build_format("auto", {})):
        wait_until(
            lambda: (
                int(store.frame("SELECT toInt64(count()) AS n FROM calls").n[0]) >= len(expected.valid)
                and int(count_dead_letters(store).letters.sum()) >= len(expected.rejects)
            ),
            60,
            "every call",
        )
        found = store.frame(
            "SELECT toInt64(partition) AS p, toInt64(offset) AS o, toInt64(count()) AS n FROM calls GROUP BY p, o"
        )
        rolled_up = int(store.frame("SELECT toInt64(sum(calls)) AS calls FROM tenant_1m").calls[0])
        letters = count_dead_letters(store)
    stored = {(p, o): n for p, o, n in found.itertuples(index=False)}
    wanted = Counter((place % PARTITIONS, place // PARTITIONS) for place in expected.valid.tolist())
    assert stored == wanted
    assert set(wanted.values()) == {1, 2}
    assert rolled_up == len(expected.valid)
    assert dict(zip(letters.reason, letters.letters, strict=True)) == {"unknown_format": 20}
