"""Records for the tests of ingest."""

from datetime import UTC, datetime
from typing import Any

import orjson

NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
NOON_MS = 1_740_830_400_000


def record(**changes: Any) -> dict[str, Any]:
    """A complete call of an LLM gateway, with `changes` laid over it."""
    return {
        "ts": "2025-03-01T12:00:00.000Z",
        "request_id": "req-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "gateway": "gw-1",
        "region": "eu-west-1",
        "tenant": "search",
        "service": "chat",
        "route": "/v1/chat/completions",
        "method": "POST",
        "kind": "llm",
        "provider": "openai",
        "account": "acc-7",
        "upstream": "api.example.com",
        "requested_model": "large",
        "model": "large-2025",
        "error_type": "",
        "status": 200,
        "latency_ms": 812.5,
        "upstream_ms": 790.25,
        "first_byte_ms": 80.5,
        "ttft_ms": 120.0,
        "bytes_in": 2048,
        "bytes_out": 8192,
        "prompt_tokens": 350,
        "completion_tokens": 120,
        "cached_tokens": 64,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": 0.0125,
        "cache_hit": False,
        "stream": True,
        "fallback": False,
        "retries": 0,
        "prompt_hash": 1234567890123456789,
        "attributes": {"region_hint": "fra"},
    } | changes


def encoded(*records: Any) -> list[bytes]:
    """Each record as JSON."""
    return [orjson.dumps(one) for one in records]
