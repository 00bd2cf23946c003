"""Call logs as JSON, as gateways write them: LLM calls with all their fields and API calls with half of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson

START = datetime(2026, 1, 1, tzinfo=UTC)


def call_records(count: int, *, seed: int = 1, start: datetime = START) -> list[bytes]:
    """`count` records, two thirds of LLM calls, a millisecond apart; about 560 bytes each, the same for the same arguments."""
    random = np.random.default_rng(seed)
    kinds = random.random(count) < 0.66
    latency = random.lognormal(6, 0.8, count).round(3).tolist()
    numbers = random.integers(0, 4000, (count, 4)).tolist()
    return [
        orjson.dumps(_llm(at, start, latency[at], *numbers[at]) if kinds[at] else _api(at, start, latency[at], *numbers[at]))
        for at in range(count)
    ]


def _api(at: int, start: datetime, latency_ms: float, a: int, b: int, c: int, d: int) -> dict[str, object]:
    return {
        "ts": _ts(start, at),
        "request_id": f"req-{at:012d}",
        "gateway": f"gw-{a % 3}",
        "region": "eu-west-1",
        "tenant": f"team-{b % 50}",
        "service": "orders",
        "route": f"/v1/orders/{{id}}/part-{c % 12}",
        "method": "GET",
        "kind": "api",
        "upstream": f"orders-{d % 4}.internal:8443",
        "status": 200 if d % 50 else 503,
        "latency_ms": latency_ms,
        "upstream_ms": round(latency_ms * 0.9, 3),
        "bytes_in": a,
        "bytes_out": b * 4,
    }


def _llm(at: int, start: datetime, latency_ms: float, a: int, b: int, c: int, d: int) -> dict[str, object]:
    return {
        "ts": _ts(start, at),
        "request_id": f"req-{at:012d}",
        "trace_id": f"{at * 2654435761:032x}",
        "gateway": f"gw-{a % 3}",
        "region": "eu-west-1",
        "tenant": f"team-{b % 50}",
        "service": "chat",
        "route": "/v1/chat/completions",
        "method": "POST",
        "kind": "llm",
        "provider": ("openai", "anthropic", "mistral")[c % 3],
        "account": f"acc-{c % 5}",
        "upstream": "api.example.com",
        "requested_model": "large",
        "model": f"large-2025-{c % 6}",
        "error_type": "",
        "status": 200,
        "latency_ms": latency_ms,
        "upstream_ms": round(latency_ms * 0.97, 3),
        "first_byte_ms": round(latency_ms * 0.1, 3),
        "ttft_ms": round(latency_ms * 0.2, 3),
        "bytes_in": a,
        "bytes_out": b,
        "prompt_tokens": c,
        "completion_tokens": d,
        "cached_tokens": 0,
        "cost_usd": round(c * 2.5e-6 + d * 1e-5, 8),
        "cache_hit": False,
        "stream": True,
        "fallback": False,
        "retries": 0,
        "prompt_hash": a * 4000 + b,
    }


def _ts(start: datetime, at: int) -> str:
    return (start + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
