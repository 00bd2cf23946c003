"""Real shapes of the gateways' logs become the call record: every column that the log has, in the record's unit."""

from typing import Any

import orjson
import pytest

from core.config import BUILTIN_FORMATS
from ingest.formats import build_format
from ingest.formats.gateways import gateway_formats
from tests.unit.ingest.formats.samples import GATEWAYS, known, lines_of

KONG: list[dict[str, Any]] = [
    {"ts": "2021-02-25T05:57:48.342000+00:00", "request_id": "2f6946328ffc4946b8c9120704a4a155", "gateway": "kong",
     "tenant": "foo", "service": "orders", "route": "/orders", "method": "GET", "kind": "api", "upstream": "orders.internal",
     "status": 200, "latency_ms": 515.0, "upstream_ms": 457.0, "bytes_in": 138, "bytes_out": 827, "retries": 0,
     "attributes": {"client_ip": "192.168.144.1", "workspace": "54baa5a9-23d6-41e0-9c9a-02434b010b25",
                    "workspace_name": "default"}},
    {"ts": "2024-09-19T22:11:40.900000+00:00", "request_id": "d35a8d6e4f4a3b0f1c2d3e4f5a6b7c8d",
     "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "gateway": "kong", "tenant": "team-search", "service": "llm",
     "route": "chat", "method": "POST", "kind": "llm", "provider": "openai", "upstream": "api.openai.example",
     "requested_model": "gpt-4o", "model": "gpt-4o-2024-08-06", "status": 200, "latency_ms": 2755.0, "upstream_ms": 2743.0,
     "ttft_ms": 210.0, "bytes_in": 912, "bytes_out": 4096, "prompt_tokens": 28, "completion_tokens": 20, "cached_tokens": 16,
     "reasoning_tokens": 8, "cost_usd": 0.0038, "cache_hit": False, "stream": True, "retries": 1,
     "attributes": {"client_ip": "10.0.0.9", "upstream_status": "502, 200"}},
    {"ts": "2024-09-19T22:11:40.900000+00:00", "gateway": "kong", "service": "api.cohere.example", "route": "/command",
     "method": "POST", "kind": "llm", "provider": "cohere", "upstream": "api.cohere.example", "requested_model": "command",
     "model": "command", "status": 429, "latency_ms": 2.0, "bytes_in": 400, "bytes_out": 120, "prompt_tokens": 28,
     "completion_tokens": 20, "cost_usd": 0.0038, "attributes": {"client_ip": "10.0.0.9"}},
]  # fmt: skip
LITELLM: list[dict[str, Any]] = [
    {"ts": "2025-01-24T09:20:46.847000+00:00", "request_id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f",
     "trace_id": "8f4e2c", "gateway": "litellm", "tenant": "search", "route": "/v1/chat/completions", "kind": "llm",
     "provider": "openai", "upstream": "api.openai.com", "requested_model": "fast", "model": "gpt-4o-2024-08-06",
     "status": 200, "latency_ms": pytest.approx(2004.583), "ttft_ms": 253.0, "prompt_tokens": 10, "completion_tokens": 20,
     "cached_tokens": 4, "cache_write_tokens": 2, "reasoning_tokens": 6, "cost_usd": 0.000225, "stream": True,
     "attributes": {"model_id": "d-7", "team_id": "5f2e", "user_api_key_alias": "search-prod", "call_type": "acompletion",
                    "saved_cache_cost": "0.0", "total_tokens": "30"}},
    {"ts": "2025-01-24T09:20:46.847000+00:00", "request_id": "c2a0b1de-35a5-4a46-9d1f-1f1a5f7a6b11", "gateway": "litellm",
     "tenant": "u-2", "route": "aembedding", "kind": "llm", "provider": "azure", "upstream": "eu.openai.azure.example",
     "requested_model": "embed", "model": "text-embedding-3-small", "error_type": "rate_limit", "status": 429,
     "latency_ms": pytest.approx(152.629), "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0, "cache_hit": False,
     "stream": False, "attributes": {"model_id": "d-9", "call_type": "aembedding", "total_tokens": "0"}},
]  # fmt: skip
ENVOY: list[dict[str, Any]] = [
    {"ts": "2026-02-24T10:30:45.123000+00:00", "request_id": "a1b2c3d4-e5f6-7890", "gateway": "envoy",
     "service": "outbound|8000||httpbin.default.svc.cluster.local", "route": "/status/200", "method": "GET", "kind": "api",
     "upstream": "10.244.1.5:8000", "status": 200, "latency_ms": 4.0, "upstream_ms": 3.0, "bytes_in": 0, "bytes_out": 615,
     "attributes": {"authority": "httpbin.default:8000", "downstream_local_address": "10.244.1.5:8000",
                    "downstream_remote_address": "10.244.1.3:45678", "protocol": "HTTP/1.1",
                    "response_code_details": "via_upstream", "upstream_local_address": "127.0.0.6:44444",
                    "user_agent": "curl/7.88.1"}},
    {"ts": "2026-02-24T10:30:46+00:00", "request_id": "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2", "gateway": "envoy",
     "service": "httproute/default/backend/rule/0", "route": "/api/users/8123", "method": "POST", "kind": "api",
     "upstream": "10.0.2.1:80", "error_type": "upstream_connection", "status": 503, "latency_ms": 226.0, "bytes_in": 154,
     "bytes_out": 0,
     "attributes": {"response_flags": "UF,URX", "protocol": "HTTP/2", ":authority": "locations", "user-agent": "nsq2http",
                    "response_code_details": "upstream_reset_before_response_started{connection_failure}",
                    "upstream_transport_failure_reason": "delayed connect error: 111", "x-forwarded-for": "10.0.35.28",
                    "downstream_local_address": "10.0.0.5:10080", "downstream_remote_address": "10.0.0.7:52012"}},
    {"ts": "2026-02-24T10:30:47.250000+00:00", "request_id": "r-3", "gateway": "envoy", "service": "slow", "route": "/slow",
     "method": "GET", "kind": "api", "upstream": "10.0.2.1:80", "latency_ms": 1200.0, "bytes_in": 0, "bytes_out": 0,
     "retries": 2, "attributes": {"response_flags": "DC"}},
]  # fmt: skip
NGINX: list[dict[str, Any]] = [
    {"ts": "2025-03-01T12:00:00+00:00", "request_id": "7f1c", "gateway": "nginx", "service": "shop.example",
     "route": "/users/8123", "method": "GET", "kind": "api", "upstream": "10.0.0.3:80", "status": 200, "latency_ms": 2500.0,
     "upstream_ms": pytest.approx(2490), "first_byte_ms": pytest.approx(310), "bytes_in": 321, "bytes_out": 700,
     "cache_hit": False, "retries": 1,
     "attributes": {"upstream_status": "502, 200", "remote_addr": "10.0.0.1", "upstream_connect_time": "0.000, 0.001",
                    "http_user_agent": "curl/8"}},
    {"ts": "2025-03-01T11:59:59.750000+00:00", "gateway": "nginx", "service": "shop", "route": "/login", "method": "POST",
     "kind": "api", "status": 499, "latency_ms": 250.0, "bytes_out": 0, "attributes": {"remote_addr": "10.0.0.1"}},
    {"ts": "2025-03-01T11:59:59.900000+00:00", "request_id": "8e2d", "gateway": "nginx", "service": "cart", "route": "/cart",
     "method": "GET", "kind": "api", "upstream": "10.0.0.9:8080", "status": 200, "latency_ms": 100.0,
     "upstream_ms": pytest.approx(99), "bytes_in": 100, "bytes_out": 700, "retries": 0,
     "attributes": {"upstream_status": "200", "remote_addr": "10.0.0.1", "x_forwarded_for": "10.0.0.1", "namespace": "web",
                    "request_proto": "HTTP/1.1", "http_user_agent": "curl/8", "upstream_response_length": "600"}},
]  # fmt: skip
APIPARK: list[dict[str, Any]] = [
    {"ts": "2025-10-15T05:48:17.342000+00:00", "request_id": "2f194906-73e3-47e8-bcdf-60d64322e72f",
     "gateway": "a3e22d5b-bb13-46ea-a39d-bd53bee8eefe", "tenant": "78f19252-2896-434e-b878-17c44abbb852",
     "service": "1ec6eb56-14e5-4526-9ae8-817930246f65", "route": "/8ecb812d/chat", "method": "POST", "kind": "llm",
     "provider": "openai", "upstream": "192.168.31.180:5678", "model": "gpt-4o", "status": 200, "latency_ms": 6.0,
     "upstream_ms": pytest.approx(4.638632), "prompt_tokens": 120, "completion_tokens": 48,
     "attributes": {"api": "3c6fefea-3eef-497b-958f-529d7c9fa74b", "proxy_status": "200", "proxy_scheme": "http",
                    "remote_addr": "127.0.0.1", "request_host": "192.168.31.180:31899", "request_scheme": "http",
                    "src_ip": "127.0.0.1"}},
    {"ts": "2024-10-27T04:00:00.250000+00:00", "request_id": "5d0c", "gateway": "apipark", "route": "/orders/17",
     "method": "GET", "kind": "api", "upstream": "10.0.0.2:80", "status": 502, "latency_ms": 31.0, "upstream_ms": 29.0,
     "attributes": {"proxy_status": "502"}},
    {"ts": "2025-04-10T08:00:00+00:00", "request_id": "9a", "gateway": "apipark", "service": "1ec6eb56", "route": "3c6fefea",
     "kind": "llm", "provider": "deepseek", "model": "deepseek-chat", "prompt_tokens": 31, "completion_tokens": 7,
     "retries": 1, "attributes": {"api": "3c6fefea", "ai_model_cost": "0.0001"}},
]  # fmt: skip
OTEL: list[dict[str, Any]] = [
    {"ts": "2025-03-01T12:00:00.123000+00:00", "request_id": "r-1", "trace_id": "5B8EFFF798038103D269B633813FC60C",
     "region": "eu-west-1", "tenant": "blue", "service": "checkout", "route": "/users/{id}", "method": "GET", "kind": "api",
     "upstream": "shop.example", "status": 200, "latency_ms": 12.5, "bytes_out": 512,
     "attributes": {"network.protocol.version": "1.1"}},
    {"ts": "2025-03-01T12:00:01+00:00", "region": "eu-west-1", "tenant": "blue", "service": "checkout", "route": "/login",
     "method": "POST", "kind": "api", "status": 503},
    {"ts": "2025-03-01T12:00:00.123000+00:00", "request_id": "chatcmpl-1", "service": "ai-gateway", "route": "chat",
     "kind": "llm", "provider": "openai", "upstream": "api.openai.com", "requested_model": "gpt-4o",
     "model": "gpt-4o-2024-08-06", "error_type": "rate_limit", "latency_ms": 1750.0, "ttft_ms": 210.0, "prompt_tokens": 120,
     "completion_tokens": 48, "cached_tokens": 64, "cache_write_tokens": 8, "reasoning_tokens": 16},
    {"ts": "2025-03-01T12:00:00+00:00", "request_id": "eee19b7ec3c1b174", "trace_id": "5b8efff798038103d269b633813fc60c",
     "service": "edge", "route": "/v1/chat/completions", "method": "POST", "kind": "llm", "provider": "openai",
     "upstream": "api.openai.com", "requested_model": "gpt-4o", "status": 200, "latency_ms": 1500.25, "upstream_ms": 1250.0,
     "prompt_tokens": 12},
    {"ts": "2025-03-01T12:00:02+00:00", "request_id": "ccc19b7ec3c1b177", "trace_id": "5b8efff798038103d269b633813fc60c",
     "service": "edge", "route": "embeddings", "kind": "llm", "provider": "openai",
     "requested_model": "text-embedding-3-small", "error_type": "timeout", "latency_ms": 80.0},
]  # fmt: skip
EXPECTED = {"kong": KONG, "litellm": LITELLM, "envoy": ENVOY, "nginx": NGINX, "apipark": APIPARK, "otel": OTEL}


def test_every_gateway_of_the_configuration_is_declared_and_documented() -> None:
    assert tuple(gateway_formats()) == GATEWAYS == BUILTIN_FORMATS[2:]
    assert all(one.documentation and one.recognise for one in gateway_formats().values())


@pytest.mark.parametrize("name", GATEWAYS)
def test_the_gateways_own_log_becomes_the_call_record(name: str) -> None:
    decoded = build_format(name, {}).decode(lines_of(name))
    assert decoded.rejects == ()
    assert known(decoded) == EXPECTED[name]


@pytest.mark.parametrize("name", GATEWAYS)
def test_nothing_secret_of_a_log_is_kept(name: str) -> None:
    kept = orjson.dumps(build_format(name, {}).decode(lines_of(name)).rows.to_pylist(), default=str).decode()
    for secret in ("Bearer", "Authorization", "sk-abc", "Hello", "secret question", "token=abc", "role", "8fc0b844", "88dc28"):
        assert secret not in kept


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "otel"])
def test_numbers_may_be_texts_and_null_is_unknown(name: str) -> None:
    records = [orjson.loads(line) for line in lines_of(name)]
    as_written = build_format(name, {}).decode(lines_of(name))
    as_texts = build_format(name, {}).decode_objects([_numbers_as_texts(record) for record in records])
    assert as_texts.rejects == ()
    numbers = [one for one in as_written.rows.schema.names if one not in ("attributes", "retries", "upstream_ms")]
    assert as_texts.rows.select(numbers).to_pylist() == as_written.rows.select(numbers).to_pylist()
    for record in records:
        for key in record:
            decoded = build_format(name, {}).decode_objects([record | {key: None, "new_field": {"deep": [1]}, "more": 7}])
            assert all(one.reason == "bad_ts" for one in decoded.rejects), key
            if not decoded.rejects:
                assert dict(decoded.rows.column("attributes")[0].as_py())["more"] == "7"


@pytest.mark.parametrize(
    ("name", "path"), [("kong", "started_at"), ("litellm", "startTime"), ("envoy", "start_time"), ("apipark", "msec")]
)
def test_times_of_any_magnitude_and_zone(name: str, path: str) -> None:
    record = orjson.loads(lines_of(name)[0]) | {"endTime": None}
    times: list[Any] = [1740830400, "1740830400", 1740830400123, 1740830400123456, 1740830400123456789, 1740830400.5,
                        "2025-03-01T12:00:00Z", "2025-03-01T13:00:00.123+01:00", "2025-03-01 12:00:00"]  # fmt: skip
    decoded = build_format(name, {}).decode_objects([record | {path: one} for one in times])
    assert decoded.rejects == ()
    assert {one.replace(microsecond=0).isoformat() for one in decoded.rows.column("ts").to_pylist()} == {
        "2025-03-01T12:00:00+00:00"
    }


@pytest.mark.parametrize(
    ("name", "changes", "reason", "says"),
    [
        ("kong", {"started_at": "yesterday"}, "bad_ts", "ts: 'yesterday' is neither RFC 3339 nor a number"),
        ("kong", {"latencies": {"request": "long"}}, "bad_value", "latency_ms: 'long' is no number"),
        ("nginx", {"request_time": "x"}, "bad_value", "latency_ms: 'x' is no number"),
        ("envoy", {"response_code": 7}, "bad_value", "status: 7 is not in 100 to 999"),
        ("litellm", {"prompt_tokens": -1}, "bad_value", "prompt_tokens: -1 is not in"),
        ("apipark", {"status": "up"}, "bad_value", "status: 'up' is no number"),
    ],
)
def test_a_bad_value_rejects_the_record(name: str, changes: dict[str, Any], reason: str, says: str) -> None:
    record = orjson.loads(lines_of(name)[0])
    decoded = build_format(name, {}).decode_objects([record, record | changes])
    assert decoded.valid.tolist() == [0]
    (reject,) = decoded.rejects
    assert (reject.index, reject.reason) == (1, reason)
    assert says in reject.detail


def _numbers_as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers_as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbers_as_texts(inner) for inner in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
