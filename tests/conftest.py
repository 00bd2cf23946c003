"""The engines that tests run against, each started once for a test process and only when a test asks for it.

Where an engine is missing its tests are skipped; with TPSCOPE_REQUIRE_ENGINES=1 they fail. A test that stops, kills or
fills an engine takes one of its own (`own_kafka_broker`, `own_clickhouse_native`, or the class in tests/support).
"""

import gc
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser

from tests.support.browser import chromium
from tests.support.certificates import self_signed
from tests.support.clickhouse18 import ClickHouse18
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.engines import started
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_operator import Operator
from tests.support.receiver import Receiver
from tests.support.scheduling import ByEngine, longest_first
from tests.support.secure_kafka import SecureKafkaBroker
from tests.support.tansu_broker import TansuBroker

# How long an example takes depends on what else the machine does: it says nothing of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# Tests are marked by the engine that they ask for, so that `-m "not kafka"` needs no care of theirs.
_MARK_OF_FIXTURE = {
    "kafka_broker": "kafka",
    "own_kafka_broker": "kafka",
    "secure_kafka_broker": "kafka",
    "kafka_operator": "kafka",
    "tansu_broker": "tansu",
    "clickhouse18": "server18",
    "browser": "browser",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests of faults too (`-m soak` runs them alone)")


@pytest.hookimpl(tryfirst=True)  # before pytest looks at -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in _MARK_OF_FIXTURE:
                item.add_marker(_MARK_OF_FIXTURE[fixture])
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = longest_first(items)
    if config.getoption("--soak") or "soak" in config.getoption("-m"):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByEngine | None:
    return ByEngine(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What was imported and collected stays: two million objects, which every collection of garbage would look at again."""
    gc.freeze()


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """A running Apache Kafka; use `unique_name` for topics and groups."""
    with started(KafkaBroker) as broker:
        yield broker


@pytest.fixture(scope="session")
def secure_kafka_broker() -> Iterator[SecureKafkaBroker]:
    """A running Apache Kafka that also listens with TLS and SASL; use `unique_name` for topics and groups."""
    with started(SecureKafkaBroker) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_operator(secure_kafka_broker: SecureKafkaBroker) -> Iterator[Operator]:
    """Who makes and changes the topics of `secure_kafka_broker`, and writes to them."""
    operator = Operator(secure_kafka_broker.bootstrap)
    yield operator
    operator.close()


@pytest.fixture
def own_kafka_broker() -> Iterator[KafkaBroker]:
    """A running Apache Kafka that the test may stop, kill and start again."""
    with started(KafkaBroker) as broker:
        yield broker


@pytest.fixture(scope="session")
def tansu_broker() -> Iterator[TansuBroker]:
    """The demo's embedded broker, running; use `unique_name` for topics and groups."""
    broker = TansuBroker()
    started(broker.start)
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def clickhouse_native() -> Iterator[ClickHouseNativeServer]:
    """A running ClickHouse of the embedded engine's version; use `clickhouse_url` for a database of the test's own."""
    with ClickHouseNativeServer() as server:
        yield server


@pytest.fixture
def own_clickhouse_native() -> Iterator[ClickHouseNativeServer]:
    """A running ClickHouse that the test may stop, kill and start again."""
    with ClickHouseNativeServer() as server:
        yield server


@pytest.fixture
def clickhouse_url(clickhouse_native: ClickHouseNativeServer, unique_name: Callable[[str], str]) -> Iterator[str]:
    """The address of an empty database on `clickhouse_native`, dropped after the test."""
    with _database(clickhouse_native.url, unique_name("test")) as name:
        yield clickhouse_native.url_of(name)


@pytest.fixture(scope="session")
def clickhouse18() -> Iterator[ClickHouse18]:
    """Debian's old ClickHouse server, running; use `clickhouse18_url` for a database of the test's own."""
    with started(ClickHouse18) as server:
        yield server


@pytest.fixture
def clickhouse18_url(clickhouse18: ClickHouse18, unique_name: Callable[[str], str]) -> Iterator[str]:
    """The address of an empty database on `clickhouse18`, dropped after the test."""
    with _database(clickhouse18.url, unique_name("test")) as name:
        yield clickhouse18.url_of(name)


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    return started(lambda: self_signed(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver that nobody has spoken to yet."""
    with Receiver() as listening:
        yield listening


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for one module's tests; open pages with `BrowserPage(browser, …)`.

    Not for the whole session: while it is there, no test in the process can run an event loop of its own.
    """
    with ExitStack() as stack:
        yield started(lambda: stack.enter_context(chromium()))


@pytest.fixture(scope="session")
def unique_name() -> Callable[[str], str]:
    """Gives names that no other test uses: `unique_name("calls")`."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{os.getpid()}_{next(numbers)}"


@contextmanager
def _database(server_url: str, name: str) -> Iterator[str]:
    client = Client.from_url(server_url)
    client.execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        client.execute(f"DROP DATABASE {name}")
        client.disconnect()
