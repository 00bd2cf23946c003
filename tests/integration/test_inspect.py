"""`tpscope inspect` as a user runs it: over files, and over a topic."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.support.cli import run, run_here
from tests.support.data import REPOSITORY
from tests.support.kafka_broker import KafkaBroker
from tests.support.topics import create_topic, produce

SAMPLES = REPOSITORY / "tests" / "data" / "gateways"


def lines(name: str) -> list[bytes]:
    return (SAMPLES / f"{name}.ndjson").read_bytes().splitlines()


def test_a_file_of_a_known_gateway(tmp_path: Path) -> None:
    done = run_here(tmp_path, "inspect", str(SAMPLES / "litellm.ndjson"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "litellm: 100% of the records; 2 of 2 can be read" in done.stdout
    assert "Set kafka.format: litellm (for a file: tpscope import --format litellm)." in done.stdout
    assert ["cost_usd", "100%", "0.000225"] in [line.split() for line in done.stdout.splitlines()]


def test_a_mixed_file_for_machines(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes(b"\n".join([*lines("kong"), *lines("otel"), b"{", b'{"when":1740830400,"took":0.25,"code":200}']))
    done = run_here(tmp_path, "inspect", str(mixed), "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert [(one["name"], one["readable"], one["calls"]) for one in told["formats"]] == [("kong", 3, 3), ("otel", 3, 5)]
    assert {reason: one["records"] for reason, one in told["refused"].items()} == {"not_json": 1, "unknown_format": 1}
    assert told["proposal"]["fields"]["latency_ms"] == {"path": "took", "unit": "s"}
    assert told["columns"]["provider"]["example"] == "openai"


def test_what_is_proposed_can_be_used(tmp_path: Path) -> None:
    log = tmp_path / "mine.ndjson"
    log.write_text('{"when":1740830400,"took":0.25,"code":200,"team":"blue"}\n' * 5)
    done = run_here(tmp_path, "inspect", str(log))
    assert done.returncode == 1
    assert "This mapping reads 5 of them" in done.stdout
    (tmp_path / "tpscope.yaml").write_text(done.stdout[done.stdout.index("formats:") :])
    again = run_here(tmp_path, "inspect", str(log), "--config", "tpscope.yaml")
    assert again.returncode == 0
    assert "mine: 100% of the records; 5 of 5 can be read" in again.stdout
    imported = run_here(tmp_path, "import", str(log), "--config", "tpscope.yaml", "--format", "mine")
    assert imported.returncode == 0, imported.stderr


def test_an_import_counts_rows_and_the_calls_in_them(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes(b"\n".join([*lines("kong"), *lines("otel"), b"{"]))
    told = []
    for code in (1, 0):
        done = run_here(tmp_path, "import", str(mixed), "--format", "auto", "--json")
        assert done.returncode == code, done.stderr
        file = json.loads(done.stdout)["files"][0]
        told.append({name: file[name] for name in ("rows", "written", "rejected", "skipped")})
    assert told == [
        {"rows": 7, "written": 8, "rejected": 1, "skipped": 0},
        {"rows": 7, "written": 0, "rejected": 0, "skipped": 7},
    ]


def test_a_format_may_be_given(tmp_path: Path) -> None:
    done = run_here(tmp_path, "inspect", str(SAMPLES / "kong.ndjson"), "--format", "nginx")
    assert done.returncode == 1
    assert "not read: 3 bad_ts (nginx: ts: None is no time; every record needs one)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.csv"], "tpscope: nowhere.csv: there is no such file\n"),
        (["calls"], "tpscope: calls: is no file; to look at a topic set kafka.brokers in the configuration\n"),
        (["calls", "--format", "apache"], "tpscope: format 'apache': is not known; choose from apipark, auto, envoy,"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = run_here(tmp_path, "inspect", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


def test_no_broker_is_one_line(tmp_path: Path) -> None:
    env = {"TPSCOPE_KAFKA__BROKERS": "127.0.0.1:9", "TPSCOPE_KAFKA__CONNECT_TIMEOUT": "1s"}
    done = run(tmp_path, "inspect", "calls", env=env)
    assert done.returncode == 2
    assert done.stderr == (
        "tpscope: kafka.brokers: no broker answers at 127.0.0.1:9 within 1 s; start Kafka or correct kafka.brokers\n"
    )


def test_the_last_records_of_a_topic(kafka_broker: KafkaBroker, unique_name: Callable[[str], str], tmp_path: Path) -> None:
    broker = kafka_broker
    topic = unique_name("calls")
    create_topic(broker.bootstrap, topic, 2)
    produce(broker.bootstrap, topic, [*lines("nginx") * 20, *lines("kong") * 4], partitions=2)
    env = {"TPSCOPE_KAFKA__BROKERS": broker.bootstrap}
    done = run_here(tmp_path, "inspect", topic, "--records", "12", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{topic}: 12 of 72 records" in done.stdout
    assert "kong: 100% of the records; 12 of 12 can be read" in done.stdout
    missing = run_here(tmp_path, "inspect", "no-such-topic", env=env)
    assert missing.returncode == 2
    assert missing.stderr == f"tpscope: no-such-topic: is neither a file nor a topic at {broker.bootstrap}\n"
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        assert "no-such-topic" not in admin.list_topics()
    finally:
        admin.close()
