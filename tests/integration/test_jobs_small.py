"""The jobs of analytics on a store with little or nothing in it: cursors, watermarks, errors, hours, short histories."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.creep_job import run_drift
from analytics.drifting import SLOW_DRIFT
from analytics.features import stack
from analytics.forecast_job import run_backtest
from analytics.hourly import SCOPES_OF_HOURS, stale_hours
from analytics.jobs import analyze, run_baselines, run_detection, run_forecasts, run_hours
from analytics.reading import read_minutes, read_parts
from analytics.reporting import JobReport, run_job
from core.clock import FakeClock
from core.config import ForecastSettings, Settings
from core.errors import StoreUnavailable
from core.series import ALL_CALLS, Selector
from core.types import QUANTILE_COLUMNS, Anomaly, Watermark
from storage.anomalies import read_anomalies
from storage.backtests import latest_backtests
from storage.baselines import latest_baseline
from storage.calls import insert_calls
from storage.contract import Store
from storage.forecasts import latest_forecasts, read_forecast
from storage.hours import insert_hours, read_hours, read_hours_by
from storage.jobs import read_job
from storage.learning import read_learning
from storage.watermarks import write_watermarks
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, at, batch

SETTINGS = Settings()
NOON = START + timedelta(hours=12)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with chdb_store(tmp_path) as opened:
        yield opened


def calls(store: Store, hour: int, count: int, offset: int, service: str = "chat") -> None:
    rows = [{"ts": at(3600 * hour + second), "service": service, "status": 200} for second in range(count)]
    insert_calls(store, batch(rows, offset))


def test_hours_are_made_once_and_again_when_calls_come_late(store: Store) -> None:
    calls(store, 1, 5, 0)
    calls(store, 3, 7, 100)
    clock = FakeClock(START + timedelta(hours=5, minutes=20))
    report = run_hours(store, clock, SETTINGS, 1)
    assert report.cursor == START + 5 * HOUR
    assert report.items == 2 * len(SCOPES_OF_HOURS), "two hours of one value (or the unknown one) in each scope"
    assert read_hours(store, "tps", START, NOON)["calls"].tolist() == [5, 0, 7]
    assert run_hours(store, clock, SETTINGS, 1).items == 0
    calls(store, 1, 4, 200)
    assert stale_hours(store, START + 5 * HOUR, START + 5 * HOUR) == [(START + HOUR, START + 2 * HOUR)]
    assert run_hours(store, clock, SETTINGS, 1).items > 0
    assert read_hours(store, "tps", START, NOON)["calls"].tolist() == [9, 0, 7]
    by_service = read_hours_by(store, "tps", START, NOON, ("service",))
    assert by_service["calls"].tolist() == [9, 7]


def test_many_calls_are_made_into_hours_in_parts_the_newest_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour, count in ((1, 5), (2, 4), (3, 30), (4, 2)):
        calls(store, hour, count, 100 * hour)
    monkeypatch.setattr("analytics.hourly._MOST_CALLS", 10)
    spans = stale_hours(store, None, START + 6 * HOUR)
    assert spans == [(START + first * HOUR, START + last * HOUR) for first, last in ((4, 5), (3, 4), (1, 3))]


@pytest.mark.parametrize("cells", [1, 10**9])
def test_minutes_read_a_few_selections_at_a_time_are_those_read_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    named = [("chat", "a", "m"), ("search", "it's", "m"), ("chat", "c", "n")]
    rows = [
        {"ts": at(97 * second), "service": service, "tenant": tenant, "model": model, "status": 200, "latency_ms": 7.0 * second}
        for second in range(100)
        for service, tenant, model in named[: 1 + second % 3]
    ]
    insert_calls(store, batch(rows))
    monkeypatch.setattr("analytics.reading._MOST_CELLS", cells)
    whole = read_minutes(store, START, START + 3 * HOUR)
    parts = list(read_parts(store, START, START + 3 * HOUR, 0.0))
    assert len(whole.selectors) == 1 + 2 + 3 + 2, "all traffic, services, tenants, models"
    assert len(parts) == (8 if cells == 1 else 4)
    together = stack(parts)
    assert together.selectors == whole.selectors
    np.testing.assert_array_equal(together.calls, whole.calls)
    for metric, values in whole.values.items():
        np.testing.assert_allclose(together.values[metric], values, rtol=1e-12)


def test_an_import_of_old_calls_gets_its_hours_with_the_next_hour(store: Store) -> None:
    calls(store, 200, 3, 0)
    run_hours(store, FakeClock(START + timedelta(hours=202)), SETTINGS, 1)
    calls(store, 2, 6, 100)
    run_hours(store, FakeClock(START + timedelta(hours=203)), SETTINGS, 1)
    assert read_hours(store, "tps", START, START + 5 * HOUR)["calls"].tolist() == [6, 0, 0]


def test_all_traffic_is_the_last_scope_so_that_it_marks_an_hour_as_complete() -> None:
    assert SCOPES_OF_HOURS[-1] == ()
    assert ("tenant",) in SCOPES_OF_HOURS


def test_without_calls_nothing_is_built_and_nothing_is_judged(store: Store) -> None:
    clock = FakeClock(NOON)
    assert "no calls" in run_baselines(store, clock, SETTINGS, 1).note
    assert "no baselines" in run_detection(store, clock, SETTINGS, 1).note
    assert run_hours(store, clock, SETTINGS, 1).items == 0
    assert run_forecasts(store, clock, SETTINGS, 1).items == 0
    for name in ("baselines", "detection", "hours", "forecasts"):
        state = read_job(store, name)
        assert state is not None
        assert state.last_success_at == NOON
        assert state.last_error == ""


def test_an_hour_of_history_is_learning(store: Store) -> None:
    calls(store, 1, 600, 0)
    report = run_baselines(store, FakeClock(NOON), SETTINGS, 1)
    assert "2 days of history are needed" in report.note
    assert latest_baseline(store) is None


@pytest.mark.parametrize(
    ("marks", "now_s", "minute"),
    [
        ([], 60.0 * 10 + 59, 9),  # nobody says how far the calls are: the longest wait
        ([(600.0, 1.0)], 60.0 * 10 + 6, 10),  # the calls of minute 9 have all arrived
        ([(599.0, 1.0)], 60.0 * 10 + 6, 9),  # they have not
        ([(650.0, 1.0), (599.0, 1.0)], 60.0 * 10 + 6, 9),  # in one partition they have not
        ([(650.0, 1.0), (10.0, 9999.0)], 60.0 * 10 + 6, 10),  # a partition that is quiet for long waits for nobody
        ([(599.0, 1.0)], 60.0 * 11 + 0.5, 10),  # after the longest wait it is judged as it is
        ([(900.0, 1.0)], 60.0 * 10 + 4, 9),  # not before the delay, whatever the calls say
    ],
)
def test_a_minute_is_complete_when_its_calls_have_arrived(
    store: Store, marks: list[tuple[float, float]], now_s: float, minute: int
) -> None:
    now = START + timedelta(seconds=now_s)
    write_watermarks(
        store,
        [
            Watermark(
                topic="calls",
                partition=number,
                event_at=at(event_s),
                arrived_at=now - timedelta(seconds=age_s),
                next_offset=1,
                delay_s=0.5,
            )
            for number, (event_s, age_s) in enumerate(marks)
        ],
    )
    assert run_detection(store, FakeClock(now), SETTINGS, 1).cursor == START + minute * MINUTE


def test_an_error_is_written_and_raised_and_the_next_success_clears_it(store: Store) -> None:
    clock = FakeClock(NOON)

    def fails(cursor: datetime | None) -> JobReport:
        raise ZeroDivisionError("division\nby zero")

    def works(cursor: datetime | None) -> JobReport:
        return JobReport(name="probe", cursor=NOON, items=3)

    assert run_job("probe", store, clock, 1, works).items == 3
    clock.advance(MINUTE)
    with pytest.raises(ZeroDivisionError):
        run_job("probe", store, clock, 1, fails)
    failed = read_job(store, "probe")
    assert failed is not None
    assert (failed.last_error, failed.last_error_at) == ("division by zero", NOON + MINUTE)
    assert (failed.cursor, failed.last_success_at) == (NOON, NOON), "what was done stays done"
    clock.advance(MINUTE)
    run_job("probe", store, clock, 1, works)
    cleared = read_job(store, "probe")
    assert cleared is not None
    assert (cleared.last_error, cleared.last_success_at) == ("", NOON + 2 * MINUTE)


def test_a_store_that_is_gone_does_not_hide_the_first_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(cursor: datetime | None) -> JobReport:
        monkeypatch.setattr(type(store), "insert", unreachable)
        raise ValueError("the first")

    def unreachable(*arguments: object, **named: object) -> None:
        raise StoreUnavailable("store: gone")

    with pytest.raises(ValueError, match="the first") as caught:
        run_job("probe", store, FakeClock(NOON), 1, fails)
    assert "could not be written either" in caught.value.__notes__[0]


def hourly(weeks: int, selector: Selector, scale: float, seed: int) -> pd.DataFrame:
    hours = weeks * 168
    rng = np.random.default_rng(seed)
    shape = 1.2 + np.sin(2 * np.pi * np.arange(hours) / 24)
    return pd.DataFrame(
        {
            "hour": pd.date_range(START, periods=hours, freq="h"),
            "scope": selector.scope,
            "selector": str(selector),
            "calls": rng.poisson(3600 * scale * shape).astype("uint64"),
            "cost_usd": scale * shape,
        }
    )


def test_forecasts_of_all_traffic_and_of_each_service_with_quantiles(store: Store) -> None:
    chat, late = Selector.of(service="chat"), Selector.of(service="late")
    for selector, scale, weeks in ((ALL_CALLS, 5.0, 6), (chat, 3.0, 6)):
        insert_hours(store, hourly(weeks, selector, scale, weeks), origin="generated", epoch=1)
    young = hourly(6, late, 1.0, 3).iloc[-100:]
    gone = hourly(3, Selector.of(service="gone"), 1.0, 3)
    unknown = hourly(6, Selector.of(service=""), 1.0, 3)
    for frame in (young, gone, unknown):
        insert_hours(store, frame, origin="generated", epoch=1)
    settings = Settings(forecast=ForecastSettings(metrics=("tps", "cost_per_h", "tokens_per_s"), by=("service",)))
    now = START + timedelta(weeks=6, minutes=10)
    report = run_forecasts(store, FakeClock(now), settings, 1)
    assert report.items == 6, "two metrics of three selections; tokens were never above zero"
    made = {(run.metric, str(run.selector)): run for run in latest_forecasts(store)}
    names = ("", 'service="chat"', 'service="late"')
    assert set(made) == {(metric, name) for metric in ("tps", "cost_per_h") for name in names}
    assert made["tps", 'service="late"'].note.startswith("4.2 days of history: how the days of the week differ")
    assert made["tps", 'service="late"'].choice_version == ""
    assert made["tps", 'service="chat"'].choice_version
    found = read_forecast(store, "tps", chat)
    assert found is not None
    run, points = found
    assert (run.unit, run.step, run.trained_to) == ("calls/s", "1h", START + timedelta(weeks=6))
    assert 0.0 < run.error_mase < 1.0
    assert len(points) == 28 * 24
    assert points["ts"].iloc[0] == pd.Timestamp(START + timedelta(weeks=6))
    assert points["mean"].mean() == pytest.approx(3.0 * 1.2, rel=0.05)
    assert (np.diff(points[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= 0).all()


def test_the_choice_of_models_is_kept_for_a_week(store: Store) -> None:
    insert_hours(store, hourly(8, ALL_CALLS, 5.0, 2), origin="generated", epoch=1)
    settings = Settings(forecast=ForecastSettings(metrics=("tps",), by=()))
    versions = []
    for day in (0, 1, 8):
        now = START + timedelta(weeks=6, days=day)
        assert run_forecasts(store, FakeClock(now), settings, 1).items == 1
        versions.append(latest_forecasts(store)[0].choice_version)
    assert versions[0] == versions[1] != versions[2]


def test_totals_equal_the_sum_of_their_parts_and_peaks_follow_from_means(store: Store) -> None:
    for labels, scale in (({"service": "chat"}, 3.0), ({"service": "search"}, 2.0), ({}, 5.0)):
        hours = hourly(6, Selector.of(labels), scale, len(labels))
        hours["peak_tps"] = hours["calls"] / 3600 + 4.0
        insert_hours(store, hours, origin="generated", epoch=1)
    settings = Settings(forecast=ForecastSettings(metrics=("tps", "peak_tps"), by=("service",)))
    assert run_forecasts(store, FakeClock(START + timedelta(weeks=6)), settings, 1).items == 6
    total, *parts = (
        found[1]
        for selector in (ALL_CALLS, Selector.of(service="chat"), Selector.of(service="search"))
        if (found := read_forecast(store, "tps", selector)) is not None
    )
    np.testing.assert_allclose(sum(part["mean"] for part in parts), total["mean"], rtol=1e-6)
    peak = read_forecast(store, "peak_tps")
    assert peak is not None
    assert peak[0].model.startswith("peak of: ")
    assert (peak[1]["q50"] >= total["q50"]).all()


def test_back_tests_are_kept_by_series_and_horizon(store: Store) -> None:
    insert_hours(store, hourly(8, ALL_CALLS, 5.0, 2), origin="generated", epoch=1)
    settings = ForecastSettings(metrics=("tps",), by=())
    found = run_backtest(store, settings, START + timedelta(weeks=8), 1)
    assert [one.horizon_h for one in found] == [24, 168, 672]
    assert latest_backtests(store) == found
    assert all(0.2 < one.mase < 1.1 for one in found)


def test_the_busiest_series_come_first_where_not_all_may(store: Store) -> None:
    for name, scale in (("small", 0.5), ("large", 4.0)):
        insert_hours(store, hourly(4, Selector.of(service=name), scale, 1), origin="generated", epoch=1)
    insert_hours(store, hourly(4, ALL_CALLS, 4.5, 1), origin="generated", epoch=1)
    settings = Settings(forecast=ForecastSettings(metrics=("tps",), by=("service",), max_series=2))
    assert run_forecasts(store, FakeClock(START + timedelta(weeks=4)), settings, 1).items == 2
    assert {str(run.selector) for run in latest_forecasts(store)} == {"", 'service="large"'}


def test_who_is_still_learning_is_noted_with_what_it_has(store: Store) -> None:
    for hour in range(20):
        calls(store, hour, 60, 100 * hour)
    report = run_baselines(store, FakeClock(START + timedelta(hours=20)), SETTINGS, 1)
    assert (report.items, report.note) == (0, "learning: 2 days of history are needed")
    learning = read_learning(store, START + timedelta(hours=20))
    assert {str(one.selector): (one.have_h, one.need_h) for one in learning} == {
        "": (19.0, 48.0),
        'service="chat"': (19.0, 48.0),
    }


def test_an_analysis_of_nothing_is_refused_and_of_silence_is_learning(store: Store) -> None:
    with pytest.raises(ValueError, match="nothing to analyze"):
        analyze(store, NOON, NOON, SETTINGS, 1)
    report = analyze(store, START, NOON, SETTINGS, 1)
    assert (report.anomalies, report.minutes, report.learning) == ((), 0, 720)


def test_what_creeps_over_days_is_told_once_followed_and_ended(store: Store) -> None:
    chat, hours = Selector.of(service="chat"), 31 * 24
    creep = np.exp(np.log(2.5) * np.clip((np.arange(hours) / 24 - 8) / 8, 0.0, 1.0))
    noise = np.random.default_rng(4).lognormal(0.0, 0.04, hours)
    for selector, latency in ((ALL_CALLS, 200.0 * noise), (chat, 300.0 * noise * creep)):
        frame = hourly(5, selector, 2.0, 1).iloc[:hours]
        known = frame.assign(latency_known=frame["calls"], latency_ms_sum=frame["calls"] * latency)
        insert_hours(store, known.assign(latency_p50=latency, latency_p95=3.0 * latency), origin="generated", epoch=1)
    told = list[list[Anomaly]]()
    for day in (14, 31):
        now = START + day * DAY + timedelta(minutes=25)
        assert run_drift(store, FakeClock(now), SETTINGS, 1).cursor == START + day * DAY
        told.append(read_anomalies(store, now - MINUTE, now + MINUTE))
    assert run_drift(store, FakeClock(now + HOUR), SETTINGS, 1).items == 0, "a day is judged once"
    ((first,), (last,)) = told
    assert (first.selector, first.hint, first.ended_at) == (chat, SLOW_DRIFT, None)
    assert first.last_at == START + 14 * DAY + 25 * MINUTE
    assert (last.id, last.started_at, last.ended_at) == (first.id, first.started_at, now)
