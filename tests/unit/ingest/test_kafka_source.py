"""What can be said of the Kafka source without a broker."""

from types import SimpleNamespace
from typing import Any

import pytest

from core.config import KafkaSettings
from core.errors import ConfigError
from core.secrets import Secret
from ingest.batch import Partition
from ingest.kafka_client import client_options, finish_join
from ingest.kafka_source import KafkaSource, _Changes
from ingest.plan import Progress

P0, P1 = Partition("calls", 0), Partition("calls", 1)


def settings(**changes: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"brokers": "a:9092,b:9093", **changes})


def places(*partitions: Partition) -> list[Any]:
    return [SimpleNamespace(topic=at.topic, partition=at.number) for at in partitions]


def test_without_brokers_there_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"^kafka\.brokers: is empty; name at least one broker as host:port$"):
        KafkaSource(KafkaSettings())


def test_a_certificate_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"^kafka\.tls_ca: there is no file 'nowhere\.pem'$"):
        KafkaSource(settings(security="SSL", tls_ca="nowhere.pem"))


def test_options_of_a_plain_connection() -> None:
    assert client_options(settings(connect_timeout="3s")) == {
        "bootstrap_servers": ["a:9092", "b:9093"],
        "bootstrap_timeout_ms": 3000,
        "client_id": "tpscope",
        "security_protocol": "PLAINTEXT",
    }


def test_options_of_a_secured_connection() -> None:
    given = settings(security="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", username="me", password=Secret("pw"), tls_ca="ca.pem")
    options = client_options(given)
    assert options["security_protocol"] == "SASL_SSL"
    assert options["ssl_cafile"] == "ca.pem"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("me", "pw")
    assert "sasl_plain_password" not in client_options(settings(security="SSL"))


def test_after_a_rebalance_every_partition_is_new_for_others_may_have_had_it_in_between() -> None:
    changes = _Changes()
    changes.on_partitions_assigned(places(P0, P1))
    assert changes.take() == (frozenset(), frozenset({P0, P1}))
    changes.on_partitions_revoked(places(P0, P1))
    assert changes.take() == (frozenset(), frozenset())  # not known yet
    changes.on_partitions_assigned(places(P1))
    assert changes.take() == (frozenset({P0, P1}), frozenset({P1}))
    assert changes.take() == (frozenset(), frozenset())


def test_what_was_lost_with_the_membership_is_revoked_and_new_even_when_it_comes_back() -> None:
    changes = _Changes()
    changes.on_partitions_revoked(places(P0))
    changes.on_partitions_lost(places(P0, P1))
    changes.on_partitions_assigned(places(P0, P1))
    assert changes.take() == (frozenset({P0, P1}), frozenset({P0, P1}))


def test_changes_that_could_not_be_used_come_again_unless_they_are_undone() -> None:
    changes = _Changes()
    changes.on_partitions_assigned(places(P0, P1))
    gone, new = changes.take()
    changes.on_partitions_revoked(places(P0, P1))
    changes.on_partitions_assigned(places(P1))
    changes.put_back(new)
    assert gone == frozenset()
    assert changes.take() == (frozenset({P0, P1}), frozenset({P1}))


def test_nothing_is_committed_while_a_rebalance_has_no_outcome() -> None:
    source = KafkaSource.__new__(KafkaSource)
    source._changes = _Changes()
    source._consumer = None  # it must not be asked
    source._changes.on_partitions_assigned(places(P0))
    source._changes.on_partitions_revoked(places(P0))
    assert not source.commit({P0: Progress(offset=1)})
    source._changes.on_partitions_assigned(places(P0))
    assert not source._changes.in_doubt


class Coordinator:
    """The part of kafka-python's coordinator that decides whether a join goes on."""

    def __init__(self, rejoining: bool, needed: bool) -> None:
        self.rejoining = rejoining
        self._needed = needed

    def need_rejoin(self) -> bool:
        return self._needed

    def request_rejoin(self) -> None:
        self._needed = True


@pytest.mark.parametrize(
    ("rejoining", "needed", "needed_then"), [(True, False, True), (True, True, True), (False, False, False)]
)
def test_a_join_that_a_short_poll_left_unfinished_is_gone_on_with(rejoining: bool, needed: bool, needed_then: bool) -> None:
    coordinator = Coordinator(rejoining, needed)
    assert finish_join(SimpleNamespace(_coordinator=coordinator)) is rejoining
    assert coordinator.need_rejoin() is needed_then
