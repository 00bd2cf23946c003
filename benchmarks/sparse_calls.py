"""Batches of calls as a small site makes them: few calls a second, spread over many routes, models and tenants."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from core.record import CALL_SCHEMA, DIMENSIONS, FLAGS, TOKENS

START = datetime(2026, 1, 1, tzinfo=UTC)
RATE = 5.0  # calls a second

Codes = dict[str, tuple[list[str], np.ndarray]]
"""Of each dimension its values, and for every row the place of its value among them."""

CodesOf = Callable[[np.random.Generator, int], Codes]

_GATEWAYS, _ROUTES, _PROVIDERS, _MODELS, _TENANTS = 3, 12, 3, 6, 20


def sparse_calls(
    rows: int,
    first: int = 0,
    *,
    seed: int = 1,
    start: datetime = START,
    dictionaries: bool = False,
    rate: float = RATE,
    codes_of: CodesOf | None = None,
) -> pa.Table:
    """`rows` calls at `rate` a second from the `first` on, in the order of time; the same for the same arguments.

    With `dictionaries` the low-cardinality columns are dictionary arrays, as a simulator can make them at no cost. `codes_of`
    chooses the dimensions' values instead of the small site's.
    """
    random = np.random.default_rng([seed, first])
    milliseconds = ((first + np.arange(rows)) * (1000 / rate)).astype("int64") + int(start.timestamp() * 1000)
    codes = (codes_of or _codes)(random, rows)
    columns: dict[str, pa.Array] = {"ts": pa.array(milliseconds, pa.timestamp("ms", tz="UTC"))}
    columns["request_id"] = pa.array(np.char.mod("%032x", random.integers(0, 2**63, rows)))
    columns["trace_id"] = pa.array(np.char.mod("%016x", random.integers(0, 2**63, rows)))
    for name in DIMENSIONS:
        values, code = codes[name]
        array = pa.DictionaryArray.from_arrays(pa.array(code, pa.int32()), pa.array(values))
        columns[name] = array if dictionaries else array.cast(pa.string())
    columns |= _numbers(random, rows, milliseconds, codes["error_type"][1])
    columns["attributes"] = pa.MapArray.from_arrays(
        np.zeros(rows + 1, "int32"), pa.array([], pa.string()), pa.array([], pa.string())
    )
    columns["topic"] = pa.array(np.repeat("generated:bench", rows))
    columns["partition"] = pa.array(np.zeros(rows, "int32"))
    columns["offset"] = pa.array(np.arange(first, first + rows))
    columns["ingested_at"] = columns["ts"]
    if dictionaries:
        columns["topic"] = columns["topic"].dictionary_encode()
    return pa.table([columns[name] for name in CALL_SCHEMA.names], names=CALL_SCHEMA.names)


def _codes(random: np.random.Generator, rows: int) -> Codes:
    def pick(count: int) -> np.ndarray:
        weights = 1.0 / np.arange(1, count + 1)  # a few are busy, most are not
        return random.choice(count, rows, p=weights / weights.sum())

    gateway, route, provider, tenant = pick(_GATEWAYS), pick(_ROUTES), pick(_PROVIDERS), pick(_TENANTS)
    model = provider * (_MODELS // _PROVIDERS) + random.integers(0, _MODELS // _PROVIDERS, rows)
    failed = (random.random(rows) < 0.01).astype("int64")
    return {
        "gateway": ([f"gateway-{n}" for n in range(_GATEWAYS)], gateway),
        "region": (["eu", "us"], gateway % 2),
        "tenant": ([f"team-{n}" for n in range(_TENANTS)], tenant),
        "service": ([f"service-{n}" for n in range(4)], route % 4),
        "route": ([f"/v1/route-{n}" for n in range(_ROUTES)], route),
        "method": (["POST"], np.zeros(rows, "int64")),
        "kind": (["llm"], np.zeros(rows, "int64")),
        "provider": ([f"provider-{n}" for n in range(_PROVIDERS)], provider),
        "account": ([f"key-{n}" for n in range(_PROVIDERS)], provider),
        "upstream": ([f"api-{n}.example" for n in range(_PROVIDERS)], provider),
        "requested_model": ([f"model-{n}" for n in range(_MODELS)], model),
        "model": ([f"model-{n}" for n in range(_MODELS)], model),
        "error_type": (["", "upstream"], failed),
    }


def _numbers(random: np.random.Generator, rows: int, milliseconds: np.ndarray, failed: np.ndarray) -> dict[str, pa.Array]:
    latency = random.lognormal(6.0, 0.5, rows).astype("float32")
    columns = {
        "status": pa.array(np.where(failed == 1, 502, 200).astype("uint16")),
        "latency_ms": pa.array(latency),
        "upstream_ms": pa.array(latency * np.float32(0.95)),
        "first_byte_ms": pa.array(latency * np.float32(0.3)),
        "ttft_ms": pa.array(latency * np.float32(0.35), mask=random.random(rows) < 0.5),
        "bytes_in": pa.array(random.integers(200, 20_000, rows).astype("uint64")),
        "bytes_out": pa.array(random.integers(200, 20_000, rows).astype("uint64")),
        "cost_usd": pa.array(random.gamma(2.0, 0.001, rows)),
        "retries": pa.array((random.random(rows) < 0.02).astype("uint8")),
        "prompt_hash": pa.array(random.integers(0, 2**63, rows).astype("uint64")),
    }
    for name in TOKENS:
        columns[name] = pa.array(random.integers(10, 4000, rows).astype("uint32"))
    for name in FLAGS:
        columns[name] = pa.array(random.random(rows) < 0.3)
    return columns
