"""Records in Avro and Protobuf behind a schema registry: what is read, what is refused, what a registry that is away does."""

import base64
import io
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.config import SchemaRegistrySettings
from core.errors import RegistryUnavailable
from ingest.formats import build_format
from ingest.formats.framed import FramedFormat
from ingest.schema_registry import SchemaRegistry
from tests.unit.ingest.builders import NOON, record

fastavro = pytest.importorskip("fastavro")
pytest.importorskip("google.protobuf")

MODEL = {"type": "record", "name": "Model", "namespace": "gw", "fields": [{"name": "name", "type": "string"}]}
CALL = {
    "type": "record", "name": "Call", "namespace": "gw", "fields": [
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "status", "type": ["null", "int"]},
        {"name": "cost_usd", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4}},
        {"name": "tenant", "type": {"type": "enum", "name": "Team", "symbols": ["blue", "red"]}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "answered", "type": "gw.Model"},
    ],
}  # fmt: skip


def framed(number: int, data: bytes) -> bytes:
    return struct.pack(">bI", 0, number) + data


def avro(number: int, value: dict[str, Any]) -> bytes:
    named: dict[str, Any] = {}
    fastavro.parse_schema(MODEL, named_schemas=named)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(CALL, named_schemas=named), value)
    return framed(number, out.getvalue())


def avro_call(**changes: Any) -> dict[str, Any]:
    from decimal import Decimal

    return {"ts": NOON, "status": 200, "cost_usd": Decimal("0.0125"), "tenant": "blue", "day": NOON.date(),
            "answered": {"name": "m"}} | changes  # fmt: skip


def file_of(name: str, message: str, fields: dict[str, tuple[str, str]], dependencies: tuple[str, ...] = ()) -> Any:
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name=name, package="gw", syntax="proto3", dependency=dependencies)
    outer = file.message_type.add(name=f"Before{message}")
    outer.nested_type.add(name="Inner").field.add(name="status", number=1, type=5, label=1)
    one = file.message_type.add(name=message)
    for number, (field, (kind, type_name)) in enumerate(fields.items(), 1):
        one.field.add(name=field, number=number, type=f"TYPE_{kind}", label=1, type_name=type_name or None)
    return file


USAGE = file_of("usage.proto", "Usage", {"prompt_tokens": ("UINT64", "")})
PROTO = file_of(
    "anything.proto", "Call",
    {"ts": ("MESSAGE", ".google.protobuf.Timestamp"), "status": ("INT32", ""), "usage": ("MESSAGE", ".gw.Usage")},
    ("google/protobuf/timestamp.proto", "usage.proto"),
)  # fmt: skip


def proto(number: int, indexes: bytes, status: int = 503) -> bytes:
    from google.protobuf import descriptor_pool, message_factory, timestamp_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(USAGE)
    pool.Add(PROTO)
    call = message_factory.GetMessageClass(pool.FindMessageTypeByName("gw.Call"))()
    call.ts.FromDatetime(NOON.replace(tzinfo=None))
    call.status = status
    call.usage.prompt_tokens = 7
    return framed(number, indexes + call.SerializeToString())


def encoded(file: Any) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


ANSWERS: dict[str, Any] = {
    "/schemas/ids/1": {"schema": orjson.dumps(CALL).decode(),
                       "references": [{"name": "gw.Model", "subject": "models/all", "version": 3}]},
    "/subjects/models%2Fall/versions/3": {"schema": orjson.dumps(MODEL).decode(), "version": 3, "id": 9},
    "/schemas/ids/2": {"schemaType": "PROTOBUF", "schema": encoded(PROTO),
                       "references": [{"name": "usage.proto", "subject": "usage", "version": 1}]},
    "/subjects/usage/versions/1": {"schemaType": "PROTOBUF", "schema": encoded(USAGE)},
    "/schemas/ids/3": {"schemaType": "JSON", "schema": "{}"},
    "/schemas/ids/4": {"schema": "{broken"},
    "/schemas/ids/5": {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3";'},
    "/schemas/ids/6": {"schemaType": "THRIFT", "schema": ""},
    "/schemas/ids/7": ["no object"],
}  # fmt: skip


class Registry(httpx.MockTransport):
    """Answers from `ANSWERS`, counts what it was asked, and may be away."""

    def __init__(self, failures: int = 0, failure: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        super().__init__(self._answer)
        self.asked: list[str] = []
        self.authorization: str | None = None
        self._failures = failures
        self._failure = failure

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        self.authorization = request.headers.get("authorization")
        if self._failures:
            self._failures -= 1
            if self._failure is not None:
                return self._failure(request)
            raise httpx.ConnectError("refused")
        answer = ANSWERS.get(request.url.raw_path.decode().partition("?")[0])
        return httpx.Response(404, json={"error_code": 40403}) if answer is None else httpx.Response(200, json=answer)


def format_of(transport: Registry, name: str = "tpscope", **settings: Any) -> FramedFormat:
    given_settings = SchemaRegistrySettings.model_validate({"url": "http://registry:8081/", "retries": 1, **settings})
    return FramedFormat(build_format(name, {}), SchemaRegistry(given_settings, transport))


def test_avro_with_logical_types_and_references() -> None:
    decoded = format_of(Registry()).decode([avro(1, avro_call()), avro(1, avro_call(status=None, tenant="red"))])
    assert decoded.rejects == ()
    rows = decoded.rows.to_pylist(maps_as_pydicts="strict")
    assert [row["ts"] for row in rows] == [NOON, NOON]
    assert [(row["status"], row["tenant"], row["cost_usd"]) for row in rows] == [(200, "blue", 0.0125), (None, "red", 0.0125)]
    assert rows[0]["attributes"] == {"day": "2025-03-01", "answered": '{"name":"m"}'}


@pytest.mark.parametrize("indexes", [b"\x02\x02"])
def test_protobuf_with_references_and_message_indexes(indexes: bytes) -> None:
    decoded = format_of(Registry()).decode([proto(2, indexes)])
    assert decoded.rejects == ()
    row = decoded.rows.to_pylist(maps_as_pydicts="strict")[0]
    assert (row["ts"], row["status"]) == (NOON, 503)
    assert row["attributes"] == {"usage": '{"prompt_tokens":"7"}'}


def test_json_behind_a_frame_json_without_one_and_bad_ones_among_them() -> None:
    values = [
        orjson.dumps(record(status=201)), framed(3, orjson.dumps(record(status=202))), b"{", avro(1, avro_call(status=203)),
        b"\x00\x00", framed(99, b"x"), orjson.dumps(record(status=204)), framed(1, b"\xff\xff"), framed(3, b"["),
        avro(1, avro_call()) + b"!",
    ]  # fmt: skip
    decoded = format_of(Registry()).decode(values)
    assert decoded.valid.tolist() == [0, 1, 3, 6]
    assert decoded.rows.column("status").to_pylist() == [201, 202, 203, 204]
    assert [(one.index, one.reason) for one in decoded.rejects] == [
        (2, "not_json"), (4, "not_as_schema"), (5, "unknown_schema"), (7, "not_as_schema"), (8, "not_as_schema"),
        (9, "not_as_schema"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (4, "schema 4 is no Avro schema"),
        (5, "schema 5 is no Protobuf schema (ValueError: the registry gives it as text; it has to know format=serialized)"),
        (6, "schema 6 is of the kind 'THRIFT', not Avro, Protobuf or JSON"),
        (7, "the registry's answer for schema 7 is no object"),
        (8, "the registry does not know schema 8"),
    ],
)
def test_a_schema_that_cannot_be_used(number: int, says: str) -> None:
    (reject,) = format_of(Registry()).decode([framed(number, b"\0")]).rejects
    assert reject.reason == "unknown_schema"
    assert reject.detail.startswith(says)


@pytest.mark.parametrize("indexes", [b"", b"\x01", b"\x02\x08", b"\x7e", b"\x04\x00\x08", b"\xff" * 9])
def test_message_indexes_that_lead_nowhere(indexes: bytes) -> None:
    (reject,) = format_of(Registry()).decode([framed(2, indexes)]).rejects
    assert reject.reason == "not_as_schema"


def test_a_schema_is_asked_for_once_also_one_that_is_not_there() -> None:
    registry = Registry()
    format_ = format_of(registry)
    for _ in range(3):
        format_.decode([avro(1, avro_call()), framed(99, b""), framed(99, b"")])
    assert registry.asked == ["/schemas/ids/1", "/subjects/models%2Fall/versions/3", "/schemas/ids/99"]


def test_a_registry_that_comes_back_is_asked_again() -> None:
    assert format_of(Registry(failures=1)).decode([avro(1, avro_call())]).rejects == ()
    assert format_of(Registry(failures=1, failure=lambda _: httpx.Response(503))).decode([avro(1, avro_call())]).rejects == ()


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (None, "kafka.schema_registry: http://registry:8081/ does not answer (ConnectError)"),
        (lambda _: httpx.Response(500), "kafka.schema_registry: http://registry:8081/ answers HTTP 500 for schema 1"),
        (lambda _: httpx.Response(401), "refuses the login (HTTP 401); check its username, password or token"),
    ],
)
def test_a_registry_that_is_away_makes_no_record_bad(failure: Any, says: str) -> None:
    registry = Registry(failures=9, failure=failure)
    format_ = format_of(registry)
    with pytest.raises(RegistryUnavailable) as caught:
        format_.decode([avro(1, avro_call())])
    assert says in str(caught.value)
    assert len(registry.asked) <= 2
    assert format_.decode([orjson.dumps(record())]).rejects == ()


def test_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_SECRET", "s3cret")
    registry = Registry()
    format_of(registry, username="me", password="env:REGISTRY_SECRET").decode([avro(1, avro_call())])
    assert registry.authorization == "Basic " + base64.b64encode(b"me:s3cret").decode()
    format_of(registry, bearer_token="env:REGISTRY_SECRET").decode([avro(1, avro_call())])
    assert registry.authorization == "Bearer s3cret"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "registry:8081"}, "must start with http:// or https://"),
        ({"url": "http://me:x@registry"}, "must not hold a password"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SchemaRegistrySettings.model_validate(settings)


def test_without_a_registry_nothing_is_looked_up() -> None:
    assert not isinstance(build_format("tpscope", {}, SchemaRegistrySettings()), FramedFormat)
    with_one = SchemaRegistrySettings(url="http://registry:8081")
    assert isinstance(build_format("auto", {}, with_one), FramedFormat)


FRAMED = format_of(Registry())


@given(
    st.lists(
        st.one_of(
            st.builds(framed, st.integers(0, 8), st.binary(max_size=40)),
            st.builds(lambda data, at, new: data[:at] + bytes([new]) + data[at + 1 :],
                      st.sampled_from([avro(1, avro_call()), proto(2, b"\x02\x02")]), st.integers(5, 40), st.integers(0, 255)),
            st.binary(max_size=8),
        ),
        max_size=5,
    )
)  # fmt: skip
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_bytes_make_it_raise_and_each_index_counts_once(values: list[bytes]) -> None:
    decoded = FRAMED.decode(values)
    places = [*decoded.valid.tolist(), *(one.index for one in decoded.rejects)]
    assert sorted(places) == list(range(len(values)))


def test_a_time_in_avro_is_in_utc() -> None:
    later = datetime(2025, 6, 1, 1, 2, 3, 456_000, tzinfo=UTC)
    assert format_of(Registry()).decode([avro(1, avro_call(ts=later))]).rows.column("ts").to_pylist() == [later]
