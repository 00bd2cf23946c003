"""Avro records of a topic, read with a schema that a registry gives over HTTP."""

import io
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.cli import run
from tests.support.kafka_broker import KafkaBroker
from tests.support.topics import create_topic, produce

fastavro = pytest.importorskip("fastavro")

SCHEMA = {
    "type": "record", "name": "Call", "fields": [
        {"name": "ts", "type": "long"}, {"name": "status", "type": "int"}, {"name": "tenant", "type": "string"},
    ],
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == "/schemas/ids/7" and self.headers["Authorization"] == "Bearer s3cret"
        body = json.dumps({"schema": json.dumps(SCHEMA)} if known else {"error_code": 40403}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def avro(number: int, status: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), {"ts": 1_740_830_400, "status": status, "tenant": "blue"})
    return struct.pack(">bI", 0, number) + out.getvalue()


def test_a_topic_of_avro_records(kafka_broker: KafkaBroker, unique_name: Callable[[str], str], tmp_path: Path) -> None:
    topic = unique_name("avro")
    create_topic(kafka_broker.bootstrap, topic, 1)
    produce(kafka_broker.bootstrap, topic, [avro(7, 200), avro(7, 503), avro(8, 200)])
    with registry() as url:
        env = {
            "TPSCOPE_KAFKA__BROKERS": kafka_broker.bootstrap,
            "TPSCOPE_KAFKA__SCHEMA_REGISTRY__URL": url,
            "TPSCOPE_KAFKA__SCHEMA_REGISTRY__BEARER_TOKEN": "env:TOKEN",
            "TOKEN": "s3cret",
        }
        done = run(tmp_path, "inspect", topic, "--json", env=env)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["formats"] == [{"name": "tpscope", "records": 2, "readable": 2, "calls": 2}]
    assert told["refused"] == {"unknown_schema": {"records": 1, "details": ["the registry does not know schema 8"]}}
    assert told["columns"]["tenant"]["example"] == "blue"


def test_a_registry_that_is_away_is_one_line(
    kafka_broker: KafkaBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = unique_name("avro")
    create_topic(kafka_broker.bootstrap, topic, 1)
    produce(kafka_broker.bootstrap, topic, [avro(7, 200)])
    env = {
        "TPSCOPE_KAFKA__BROKERS": kafka_broker.bootstrap,
        "TPSCOPE_KAFKA__SCHEMA_REGISTRY__URL": "http://127.0.0.1:9",
        "TPSCOPE_KAFKA__SCHEMA_REGISTRY__RETRIES": "1",
    }
    done = run(tmp_path, "inspect", topic, env=env)
    assert done.returncode == 2
    assert done.stderr == "tpscope: kafka.schema_registry: http://127.0.0.1:9 does not answer (ConnectError)\n"
