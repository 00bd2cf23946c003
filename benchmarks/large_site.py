"""Calls as a large site makes them: 200 routes, 500 tenants, 5,000 combinations that occur; a few are busy, most are not."""

from functools import cache

import numpy as np

from benchmarks.sparse_calls import Codes

GATEWAYS, SERVICES, ROUTES, TENANTS, COMBINATIONS = 4, 20, 200, 500, 5_000
PROVIDERS, MODELS = 5, 20


def codes_of(random: np.random.Generator, rows: int) -> Codes:
    """Values of the dimensions for `rows` calls; which combinations there are is the same for every batch."""
    combination = _picked(random, rows)
    route, tenant, model = (column[combination] for column in _combinations())
    gateway = random.integers(0, GATEWAYS, rows)
    failed = (random.random(rows) < 0.01).astype("int64")
    provider = model // (MODELS // PROVIDERS)
    providers, models = [f"provider-{n}" for n in range(PROVIDERS)], [f"model-{n}" for n in range(MODELS)]
    return {
        "gateway": ([f"gateway-{n}" for n in range(GATEWAYS)], gateway),
        "region": (["eu", "us"], gateway % 2),
        "tenant": ([f"team-{n}" for n in range(TENANTS)], tenant),
        "service": ([f"service-{n}" for n in range(SERVICES)], route % SERVICES),
        "route": ([f"/v1/route-{n}" for n in range(ROUTES)], route),
        "method": (["POST"], np.zeros(rows, "int64")),
        "kind": (["llm"], np.zeros(rows, "int64")),
        "provider": (providers, provider),
        "account": ([f"key-{n}" for n in range(PROVIDERS)], provider),
        "upstream": ([f"api-{n}.example" for n in range(PROVIDERS)], provider),
        "requested_model": (models, model),
        "model": (models, model),
        "error_type": (["", "upstream"], failed),
    }


@cache
def _combinations() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Route, tenant and model of each combination; every route and tenant occurs."""
    random = np.random.default_rng(7)
    every = np.arange(COMBINATIONS)
    return every % ROUTES, random.permutation(every) % TENANTS, random.integers(0, MODELS, COMBINATIONS)


@cache
def _edges() -> np.ndarray:
    weights = 1.0 / np.arange(1, COMBINATIONS + 1)
    edges: np.ndarray = np.cumsum(weights / weights.sum())
    return edges


def _picked(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.minimum(np.searchsorted(_edges(), random.random(rows)), COMBINATIONS - 1)
