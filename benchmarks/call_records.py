"""Call logs as JSON, as gateways write them: 22 fields and about 480 bytes each, LLM calls and API calls.

They fall on 5,000 combinations of dimensions (200 routes, 500 tenants), all equally busy. Two thirds are LLM calls.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

START = datetime(2026, 1, 1, tzinfo=UTC)
COMBINATIONS = 5_000
ROUTES = 200
TENANTS = 500

_PROVIDERS = ("openai", "anthropic", "mistral")
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Combination:
    """The dimensions of some calls, written as the middle of their JSON."""

    llm: bool
    text: str


def call_records(count: int, *, seed: int = 1, start: datetime = START, first: int = 0, per_second: int = 1_000) -> list[bytes]:
    """`count` records, so many a second, from number `first` on; the same for the same arguments."""
    random = np.random.default_rng((seed, first))
    which = random.integers(0, COMBINATIONS, count).tolist()
    latency = random.lognormal(6, 0.8, count).round(3).tolist()
    numbers = random.integers(0, 4000, (count, 4)).tolist()
    minutes: dict[int, str] = {}
    records = []
    for at, combination, latency_ms, (a, b, c, d) in zip(range(first, first + count), which, latency, numbers, strict=True):
        minute, within = divmod(at * 1000 // per_second, _MINUTE_MS)
        if minute not in minutes:
            minutes[minute] = (start + timedelta(minutes=minute)).isoformat(timespec="minutes")[:16]
        ts = f"{minutes[minute]}:{within // 1000:02}.{within % 1000:03}Z"
        known = _COMBINATIONS[combination]
        measured = _llm if known.llm else _api
        records.append(
            f'{{"ts":"{ts}","request_id":"req-{at:012}","trace_id":"{at * 2654435761:032x}",{known.text},'
            f"{measured(latency_ms, a, b, c, d)}}}".encode()
        )
    return records


def _llm(latency_ms: float, a: int, b: int, c: int, d: int) -> str:
    return (
        f'"status":{200 if d % 50 else 429},"latency_ms":{latency_ms},"ttft_ms":{latency_ms * 0.2:.3f},"bytes_in":{a},'
        f'"bytes_out":{b},"prompt_tokens":{c},"completion_tokens":{d},"cost_usd":{c * 2.5e-6 + d * 1e-5:.8f}'
    )


def _api(latency_ms: float, a: int, b: int, c: int, d: int) -> str:
    return (
        f'"error_type":"{"" if d % 50 else "upstream"}","status":{200 if d % 50 else 503},"latency_ms":{latency_ms},'
        f'"upstream_ms":{latency_ms * 0.9:.3f},"first_byte_ms":{latency_ms * 0.8:.3f},"bytes_in":{a},"bytes_out":{b * 4},'
        f'"cache_hit":{"true" if c % 3 == 0 else "false"},"fallback":false,"retries":{c % 2}'
    )


def _combination(number: int) -> _Combination:
    route, tenant = number % ROUTES, number // (COMBINATIONS // TENANTS)
    llm = route % 3 != 0
    shared = f'"gateway":"gw-{number % 3}","region":"eu-west-{number % 2}","tenant":"team-{tenant:03}"'
    if llm:
        provider = _PROVIDERS[route % 3]
        own = (
            f'"service":"chat","route":"/v1/chat/{{deployment}}/{route:03}","method":"POST","kind":"llm","provider":"{provider}",'
            f'"account":"account-{route % 5}","upstream":"{provider}.example.com","model":"large-2025-{route % 6:02}"'
        )
    else:
        own = (
            f'"service":"orders-{route % 10}","route":"/v1/orders/{{id}}/part/{route:03}","method":"GET","kind":"api",'
            f'"account":"account-{route % 5}","upstream":"orders-{route % 10}.internal:8443"'
        )
    return _Combination(llm=llm, text=f"{shared},{own}")


_COMBINATIONS = tuple(_combination(number) for number in range(COMBINATIONS))
