"""Simulated traffic: seasons, growth, incidents, and that a seed gives the same calls again."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest

from core.clock import FakeClock
from core.errors import BrokerUnavailable, ConfigError
from core.record import RECORD_SCHEMA
from tpscope.simulate.encode import encode
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident, lasting, schedule
from tpscope.simulate.live import LiveTraffic
from tpscope.simulate.scenario import IncidentSpec, load_scenario, scenario_names
from tpscope.simulate.traffic import wandering

ANCHOR = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def generator(name: str = "marketflow", rate: float = 5.0) -> TrafficGenerator:
    return TrafficGenerator(load_scenario(name), rate, ANCHOR)


@pytest.mark.parametrize("name", scenario_names())
def test_a_week_has_the_mean_rate_that_was_asked_for(name: str) -> None:
    calls = generator(name, 2.0).generate(ANCHOR - timedelta(days=3.5), ANCHOR + timedelta(days=3.5))
    assert calls.schema.equals(RECORD_SCHEMA)
    assert calls.num_rows / 604_800 == pytest.approx(2.0, rel=0.02)


def test_days_and_weeks_have_seasons_and_the_level_grows() -> None:
    traffic = generator()
    days = np.arange(0, 7 * 86_400, 3600.0) + ANCHOR.timestamp()
    rates = traffic.profile.rate(days)
    assert rates.max() > 2 * rates.min()
    assert traffic.profile.rate(days + 604_800) == pytest.approx(rates * 1.02)


def test_a_span_is_the_same_each_time_it_is_drawn() -> None:
    incidents = schedule(load_scenario("marketflow"), ANCHOR, ANCHOR + HOUR)
    assert generator().generate(ANCHOR, ANCHOR + HOUR, incidents).equals(generator().generate(ANCHOR, ANCHOR + HOUR, incidents))


def test_latency_rises_with_load() -> None:
    traffic = generator(rate=40.0)
    quiet = traffic.generate(ANCHOR.replace(hour=2), ANCHOR.replace(hour=3)).to_pandas()
    busy = traffic.generate(ANCHOR.replace(hour=19), ANCHOR.replace(hour=20)).to_pandas()
    orders = [frame[frame.route == "/v1/orders"].latency_ms.median() for frame in (quiet, busy)]
    assert orders[1] > orders[0] * 1.2


def run_incident(kind: str) -> tuple[ScheduledIncident, Any, Any]:
    scenario = load_scenario("marketflow")
    spec = next(incident for incident in scenario.incidents if incident.kind == kind)
    incident = ScheduledIncident(spec, ANCHOR)
    traffic = generator(rate=50.0)
    with_it = traffic.generate(ANCHOR, incident.end, [incident]).to_pandas()
    without = traffic.generate(ANCHOR, incident.end).to_pandas()
    ((column, value),) = spec.match.items()
    return incident, with_it[with_it[column] == value], without[without[column] == value]


def test_an_outage_fails_the_provider() -> None:
    _, hit, usual = run_incident("outage")
    assert (hit.status >= 500).mean() > 0.8 > 0.05 > (usual.status >= 500).mean()


def test_latency_creeps() -> None:
    incident, hit, usual = run_incident("latency_creep")
    last = hit[hit.ts > incident.end - timedelta(minutes=2)]
    assert last.latency_ms.median() > 3 * usual.latency_ms.median()
    first = hit[hit.ts < incident.start + timedelta(minutes=1)]
    assert first.latency_ms.median() < 2 * usual.latency_ms.median()


def test_a_surge_multiplies_calls_and_a_silence_takes_them_away() -> None:
    _, hit, usual = run_incident("surge")
    assert len(hit) == pytest.approx(5 * len(usual), rel=0.1)
    _, hit, usual = run_incident("silence")
    assert len(hit) == 0 < len(usual)


def test_token_runaway_raises_tokens_and_cost() -> None:
    _, hit, usual = run_incident("token_runaway")
    assert hit.prompt_tokens.sum() > 6 * usual.prompt_tokens.sum()
    assert hit.cost_usd.sum() > 3 * usual.cost_usd.sum()


def changed(kind: str, match: dict[str, str], magnitude: float, into: str = "") -> tuple[Any, Any]:
    """Calls that an incident of the marketflow gateway matches, with and without it, over its whole length."""
    spec = IncidentSpec(
        name=kind, kind=kind, match=match, magnitude=magnitude, into=into, duration=timedelta(minutes=20), description=kind
    )
    traffic = generator(rate=50.0)
    ends = ANCHOR + timedelta(minutes=20)
    with_it = traffic.generate(ANCHOR, ends, [ScheduledIncident(spec, ANCHOR)]).to_pandas()
    return with_it, traffic.generate(ANCHOR, ends).to_pandas()


def of(frame: Any, **labels: str) -> Any:
    for name, value in labels.items():
        frame = frame[frame[name] == value]
    return frame


def test_a_rate_limit_refuses_at_once_and_without_tokens() -> None:
    calls, usual = changed("rate_limit", {"provider": "openai"}, 0.6)
    refused = of(calls, provider="openai", error_type="rate_limit")
    assert 0.5 < len(refused) / len(of(usual, provider="openai")) < 0.7
    ordinary = of(usual, provider="openai", error_type="rate_limit")
    assert (refused.latency_ms >= 10).sum() <= len(ordinary)
    assert refused.prompt_tokens.isna().all()


def test_a_collapsed_cache_misses_and_answers_as_slowly_as_the_upstream() -> None:
    calls, usual = changed("cache_collapse", {"service": "catalog"}, 1.0)
    assert not of(calls, service="catalog").cache_hit.any()
    assert of(calls, service="catalog").latency_ms.median() > 2 * of(usual, service="catalog").latency_ms.median()


def test_a_new_model_takes_the_calls_of_the_old_one_and_is_slower() -> None:
    calls, usual = changed("new_model", {"model": "gpt-4o-mini"}, 2.0, "gpt-4o-mini-next")
    assert len(of(calls, model="gpt-4o-mini")) == 0
    new, old = of(calls, model="gpt-4o-mini-next"), of(usual, model="gpt-4o-mini")
    assert len(new) == len(old)
    assert new.latency_ms.median() == pytest.approx(2 * old.latency_ms.median(), rel=0.05)


def test_a_dip_takes_a_share_away_and_tokens_grow_bit_by_bit() -> None:
    calls, usual = changed("dip", {"service": "search"}, 0.7)
    assert len(of(calls, service="search")) == pytest.approx(0.3 * len(of(usual, service="search")), rel=0.15)
    calls, usual = changed("token_growth", {"provider": "openai"}, 5.0)
    late = of(calls, provider="openai")
    early, late = (late[late.ts < ANCHOR + timedelta(minutes=2)], late[late.ts > ANCHOR + timedelta(minutes=16)])
    assert late.prompt_tokens.mean() > 3 * early.prompt_tokens.mean()


def test_a_burst_is_of_one_tenant() -> None:
    calls, usual = changed("surge", {"tenant": "shop-03"}, 6.0)
    assert len(of(calls, tenant="shop-03")) == pytest.approx(6 * len(of(usual, tenant="shop-03")), rel=0.2)
    assert len(of(calls, tenant="shop-01")) == pytest.approx(len(of(usual, tenant="shop-01")), rel=0.1)


def test_what_wanders_is_the_same_in_whatever_pieces_it_is_asked_for() -> None:
    instants = np.arange(0.0, 4 * 3600.0, 60.0) + ANCHOR.timestamp()
    whole = wandering(instants, 0.1, seed=3, stream=1)
    assert np.concatenate([wandering(part, 0.1, 3, 1) for part in np.split(instants, 4)]) == pytest.approx(whole)
    assert 0.02 < np.log(whole).std() < 0.3
    assert (wandering(instants, 0.0, 3, 1) == 1.0).all()


def test_records_are_json_without_unknown_values() -> None:
    calls = generator().generate(ANCHOR, ANCHOR + timedelta(seconds=30))
    records = [orjson.loads(record) for record in encode(calls)]
    assert len(records) == calls.num_rows
    for record, ts in zip(records, calls.column("ts").to_pylist(), strict=True):
        assert record["ts"] == round(ts.timestamp() * 1000)
        assert None not in record.values()
        assert "" not in record.values()


def test_the_schedule_starts_over_after_the_last_incident() -> None:
    scenario = load_scenario("edgestream")
    planned = schedule(scenario, ANCHOR, ANCHOR + timedelta(hours=4))
    assert [entry.spec.name for entry in planned[:5]] == [spec.name for spec in scenario.incidents]
    assert planned[5].spec.name == scenario.incidents[0].name
    assert all(before.end < after.start for before, after in itertools.pairwise(planned))


def test_targets_say_how_they_were_scaled() -> None:
    scaled = {target.name: (value, text) for target, value, text in load_scenario("marketflow").scaled_targets(5.0)}
    assert scaled["orders-throughput"][0] == pytest.approx(1.25)
    assert "instead of 5000" in scaled["orders-throughput"][1]
    assert scaled["orders-p99"] == (2000, "Orders answer within 2 s at P99; not scaled: it does not depend on the rate")


def test_limits_scale_with_the_rate_and_lie_above_what_usually_comes() -> None:
    for name in scenario_names():
        scenario = load_scenario(name)
        licence = next(limit for limit in scenario.limits if limit.kind == "tps").at_rate(5.0 / scenario.full_rate)
        assert generator(name).profile.peak() < licence["at_most"] < 1.3 * generator(name).profile.peak()
    quota = next(limit for limit in load_scenario("marketflow").limits if limit.name == "openai quota").at_rate(5.0 / 20_000)
    assert quota["at_most"] == pytest.approx(75_000)
    assert quota["description"].endswith("scaled to this demo's rate: 75,000 instead of 300,000,000")


def test_what_was_changed_in_the_past_has_slowed_its_calls_since_then_and_no_others() -> None:
    scenario = load_scenario("marketflow")
    assert scenario.past is not None
    lasts = lasting(scenario.past, ANCHOR + scenario.past.ago)
    assert (lasts.start, lasts.end > ANCHOR + timedelta(days=300)) == (ANCHOR, True)
    plain, changed = (generator().generate(ANCHOR - HOUR, ANCHOR + HOUR, found).to_pandas() for found in ([], [lasts]))
    factor = changed.latency_ms / plain.latency_ms
    touched = (changed.service == "accounts") & (changed.ts >= ANCHOR)
    assert (factor[~touched] == 1.0).all()
    assert factor[touched].to_numpy() == pytest.approx(1.2, rel=0.01)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="edgestream, marketflow, securewealth"):
        load_scenario("nope")


class FlakySink:
    def __init__(self) -> None:
        self.down = False
        self.records: list[bytes] = []

    def send(self, records: Sequence[bytes]) -> None:
        if self.down:
            raise BrokerUnavailable("down")
        self.records.extend(records)

    def close(self) -> None: ...


def test_live_traffic_waits_for_a_sink_that_is_down_and_loses_nothing() -> None:
    clock, sink = FakeClock(ANCHOR), FlakySink()
    live = LiveTraffic(generator(rate=20.0), (), sink, clock, ANCHOR)
    clock.advance(timedelta(seconds=10))
    live.step()
    sink.down = True
    clock.advance(timedelta(seconds=10))
    assert live.step() == 0
    sink.down = False
    live.step()
    seconds = [ANCHOR + timedelta(seconds=second) for second in range(20)]
    expected = sum(generator(rate=20.0).generate(at, at + timedelta(seconds=1)).num_rows for at in seconds)
    assert len(sink.records) == live.sent == expected > 100
