import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.series import ALL_CALLS, Selector
from core.types import ForecastBacktest
from storage.backtests import latest_backtests, write_backtests
from storage.contract import Store

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEST = ForecastBacktest(
    version="b1",
    made_at=AT,
    metric="tps",
    selector=ALL_CALLS,
    horizon_h=168,
    origins=4,
    history_from=AT - timedelta(days=60),
    history_to=AT,
    mase=0.8,
    wql=0.1,
    wql95=0.05,
    coverage90=0.9,
    mean4_mase=0.85,
)


def test_the_newest_of_each_series_and_horizon_comes_back(store: Store) -> None:
    chat = replace(TEST, selector=Selector.of(service="chat"), mase=float("nan"))
    write_backtests(store, [TEST, replace(TEST, horizon_h=24), chat], 1)
    newer = replace(TEST, version="b2", made_at=AT + timedelta(days=7), mase=0.7)
    write_backtests(store, [newer], 0)
    write_backtests(store, [], 1)
    found = latest_backtests(store)
    assert found[:2] == [replace(TEST, horizon_h=24), newer]
    assert math.isnan(found[2].mase)
    assert found[2].selector == chat.selector
