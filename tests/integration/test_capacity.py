"""The job of capacity over a store: ceilings that are there, limits that are judged, and what pages and API say of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest

from analytics.capacity import run_capacity
from analytics.counting import TransactionCounter
from core.capacity import Against, CeilingState
from core.clock import FakeClock
from core.config import RetentionSettings, Settings
from core.record import CALL_SCHEMA
from core.series import ALL_CALLS, METRICS, Selector
from core.types import QUANTILE_COLUMNS, QUANTILE_LEVELS, ForecastRun
from dashboards.api.capacity import read_capacity
from dashboards.capacity import load_capacity
from dashboards.context import Web
from dashboards.look import Look
from dashboards.pages.capacity import section
from ingest.samples import decode_samples, located_samples
from storage.calls import insert_calls
from storage.capacity import read_fits, read_limits
from storage.contract import Store
from storage.forecasts import write_forecast
from storage.samples import insert_samples
from tests.support.stores import chdb_store

NOW = datetime(2026, 3, 3, 12, 0, 30, tzinfo=UTC)
MINUTES = 240
GAMMA, SIGMA, KAPPA = 1.2, 0.05, 0.02
PEAK_AT = np.sqrt((1 - SIGMA) / KAPPA)
SETTINGS = Settings.model_validate(
    {
        "limits": [
            {"name": "edge", "kind": "tps", "at_most": 9.0},
            {"name": "tokens", "kind": "tokens_per_min", "selector": {"provider": "acme"}, "at_most": 1e6},
            {"name": "budget", "kind": "usd_per_day", "at_most": 100.0},
            {"name": "keys", "kind": "calls_per_min", "per": ["provider", "account"], "at_most": 60.0},
        ],
        "transactions": [{"name": "talk", "selector": {"service": "ch*"}}],
        "forecast": {"instance_counts": [{"sample": "instances", "labels": {"pool": "a"}}]},
        "prices": {"tokens": [{"provider": "acme", "model": "priced", "input": 1.0, "output": 2.0}]},
        "objectives": [{"name": "fast", "metric": "latency_p95", "at_most": 1800.0}],
    }
)


def _throughput(n: np.ndarray) -> np.ndarray:
    return np.asarray(GAMMA * n / (1 + SIGMA * (n - 1) + KAPPA * n * (n - 1)))


def _in_flight() -> np.ndarray:
    return np.asarray(PEAK_AT * (0.9 - 0.75 * np.cos(np.arange(MINUTES) * 2 * np.pi / 120)))


def _instances() -> pa.Table:
    """As many instances as calls are in flight, counted every minute."""
    start = NOW.replace(second=0) - timedelta(minutes=MINUTES)
    lines = [
        orjson.dumps(
            {"ts": (start + timedelta(minutes=at)).isoformat(), "name": "instances", "value": n, "labels": {"pool": "a"}}
        )
        for at, n in enumerate(np.rint(_in_flight()).tolist())
    ]
    return located_samples(decode_samples(lines), "samples", 0, range(len(lines)), NOW)


def _calls() -> pa.Table:
    """Four hours of a system whose law is known, from idle to beyond its peak and back."""
    rng = np.random.default_rng(3)
    n = _in_flight()
    count = np.round(_throughput(n) * 60).astype(int)
    latency = np.repeat(n / _throughput(n) * 1000, count) * np.exp(0.2 * rng.standard_normal(count.sum()) - 0.02)
    minute = np.repeat(np.arange(MINUTES), count)
    start = NOW.replace(second=0) - timedelta(minutes=MINUTES)
    at_ms = int(start.timestamp() * 1000) + minute * 60_000 + rng.integers(0, 60_000, len(minute))
    total = len(minute)
    given: dict[str, pa.Array] = {
        "ts": pa.array(at_ms, pa.int64()).cast(pa.timestamp("ms", tz="UTC")),
        "latency_ms": pa.array(latency, pa.float32()),
        "service": pa.array(["chat"] * total),
        "provider": pa.array(["acme"] * total),
        "model": pa.array(np.where(np.arange(total) % 2, "priced", "strange")),
        "prompt_tokens": pa.array(np.full(total, 100), pa.uint32()),
        "topic": pa.array(["import:test"] * total),
        "offset": pa.array(np.arange(total), pa.int64()),
    }
    columns = []
    for field in CALL_SCHEMA:
        if field.name in given:
            columns.append(given[field.name].cast(field.type))
        elif field.nullable:
            columns.append(pa.nulls(total, field.type))
        else:
            empty = {"ts": NOW, "ingested_at": NOW, "attributes": []}.get(
                field.name, 0 if pa.types.is_integer(field.type) else ""
            )
            columns.append(pa.array([empty] * total, field.type))
    return pa.Table.from_arrays(columns, schema=CALL_SCHEMA)


def _forecast(store: Store, metric: str, selector: Selector, level: float) -> None:
    first = NOW.replace(minute=0, second=0)
    hours = pd.date_range(first, periods=24 * 14, freq="h")
    middle = level * (1.0 + 0.03 * np.arange(len(hours)) / 24)
    z = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
    points = pd.DataFrame(middle[:, None] * (1.0 + 0.05 * z), columns=list(QUANTILE_COLUMNS)).assign(ts=hours, mean=middle)
    run = ForecastRun(
        version="v", made_at=NOW, selector=selector, metric=metric, unit=METRICS[metric].unit, model="m", step="1h",
        trained_from=first - timedelta(days=14), trained_to=first, error_mase=0.8,
    )  # fmt: skip
    write_forecast(store, run, points, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    assert len(QUANTILE_LEVELS) == len(QUANTILE_COLUMNS)
    kept = RetentionSettings(samples=timedelta(days=3650))  # they are of a past that is fixed
    with chdb_store(tmp_path_factory.mktemp("capacity"), kept) as opened:
        web = Web(store=opened, settings=SETTINGS, clock=FakeClock(NOW))
        empty = section(load_capacity(web, ALL_CALLS, Look()), web.zone)
        assert "has not been measured yet" in str(empty)
        assert run_capacity(opened, FakeClock(NOW), SETTINGS, 1).note == "no calls yet"
        insert_calls(opened, _calls())
        insert_samples(opened, _instances())
        _forecast(opened, "tps", ALL_CALLS, 7.0)
        TransactionCounter().run(opened, FakeClock(NOW), SETTINGS, 1)
        run_capacity(opened, FakeClock(NOW), SETTINGS, 1)
        yield opened


def test_the_ceiling_is_that_of_the_system(store: Store) -> None:
    fits = {fit.selector: fit for fit in read_fits(store) if fit.against is Against.CONCURRENCY and not fit.transaction}
    for selector in (ALL_CALLS, Selector.of(service="chat")):
        found = fits[selector].ceiling
        assert found.state is CeilingState.PEAK
        assert found.peak_tps.value == pytest.approx(_throughput(np.array([PEAK_AT]))[0], rel=0.03)
        assert found.peak_tps.lower < found.peak_tps.value < found.peak_tps.upper
    assert fits[ALL_CALLS].objective_failed
    assert 0.0 < (fits[ALL_CALLS].objective_tps or 0.0) < fits[ALL_CALLS].ceiling.peak_tps.value


def test_what_more_instances_bring_is_fitted_where_samples_count_them(store: Store) -> None:
    (fit,) = [fit for fit in read_fits(store) if fit.against is Against.INSTANCES]
    assert fit.ceiling.state is CeilingState.PEAK
    assert fit.ceiling.peak_concurrency.value == pytest.approx(PEAK_AT, abs=1.0)
    web = Web(store=store, settings=SETTINGS, clock=FakeClock(NOW))
    assert "Against instances, throughput peaks at" in load_capacity(web, ALL_CALLS, Look()).scaling
    assert {one["against"] for one in read_capacity(web)["ceilings"]} == {"concurrency", "instances"}


def test_a_transaction_has_a_ceiling_of_its_own(store: Store) -> None:
    (fit,) = [fit for fit in read_fits(store) if fit.transaction]
    assert fit.transaction == "talk"
    assert fit.ceiling.peak_tps.value == pytest.approx(_throughput(np.array([PEAK_AT]))[0], rel=0.03)
    web = Web(store=store, settings=SETTINGS, clock=FakeClock(NOW))
    assert "talk" in str(section(load_capacity(web, ALL_CALLS, Look()), web.zone))
    assert "talk" in {one["transaction"] for one in read_capacity(web)["ceilings"]}


def test_a_quota_of_each_key_is_judged_for_each_key(store: Store) -> None:
    (one,) = [limit for limit in read_limits(store) if limit.name.startswith("keys")]
    assert one.name == "keys: acme, (none)"
    assert one.selector == Selector.of(provider="acme", account="")
    assert one.minutes is not None
    assert one.now > 0.0


def test_limits_are_judged_by_the_forecast_or_say_what_is_missing(store: Store) -> None:
    limits = {one.name: one for one in read_limits(store)}
    edge = limits["edge"]
    assert edge.probability > 0.9
    assert edge.early_at is not None
    assert edge.likely_at is not None
    # 7 calls/s grow by 3 % a day: 9 are reached in about nine days, by the upper tenth of the futures some days before.
    assert edge.early_at < edge.likely_at < NOW + timedelta(days=11)
    assert "as likely as not by" in edge.words
    assert limits["measured ceiling of all traffic"].kind == "ceiling"
    tokens = limits["tokens"]
    assert tokens.until is None
    assert "no forecast of tokens_per_s for provider acme" in tokens.words
    assert tokens.minutes is not None
    assert limits["budget"].until is None


def test_pages_and_api_say_the_same(store: Store) -> None:
    web = Web(store=store, settings=SETTINGS, clock=FakeClock(NOW))
    answer = read_capacity(web)
    assert {one["name"] for one in answer["limits"]} >= {"edge", "tokens", "budget"}
    assert answer["unpriced_last_day"][0]["model"] == "strange"
    data = load_capacity(web, ALL_CALLS, Look())
    assert data.figure is not None
    assert [trace.name for trace in data.figure.data] == ["measured minutes", "fitted law"]
    assert "Throughput peaks at" in data.ceiling
    text = str(section(data, web.zone))
    assert "acme strange" in text
    assert "edge" in text
