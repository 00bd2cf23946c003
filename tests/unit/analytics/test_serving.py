"""What serving a forecast costs, against sums by hand."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from analytics.serving import serving_cost
from core.config import InstancePriceSettings, ObjectiveSettings
from core.series import ALL_CALLS
from core.types import QUANTILE_COLUMNS

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _flat(level: float, hours: int = 10) -> pd.DataFrame:
    frame = pd.DataFrame({"ts": pd.date_range(NOW, periods=hours, freq="h"), "mean": level})
    return frame.assign(**dict.fromkeys(QUANTILE_COLUMNS, level))


def test_calls_and_instances_are_added_up() -> None:
    instances = [InstancePriceSettings(tps=150.0, usd_per_h=0.5, at_least=2)]
    # 200 calls/s cost 72 USD/h: 0.0001 USD a call. Two instances carry them; 300 calls/s need two as well, no third.
    found = serving_cost(ALL_CALLS, _flat(200.0), _flat(72.0), instances, [], 1, NOW)
    assert found.calls_usd.value == pytest.approx(720.0)
    assert (found.calls_usd.lower, found.calls_usd.upper) == pytest.approx((720.0, 720.0))
    assert found.usd_per_call == pytest.approx(0.0001)
    assert found.instances_usd == pytest.approx(10 * 2 * 0.5)
    assert found.per_extra_100_tps == pytest.approx(36.0)
    assert found.curve[0] == pytest.approx((0.0, 1.0))
    assert found.curve[-1] == pytest.approx((400.0, 144.0 + 1.5))


def test_instances_come_in_steps_and_the_next_one_has_a_date() -> None:
    instances = [InstancePriceSettings(tps=150.0, usd_per_h=0.5, at_least=2), InstancePriceSettings(tps=1000.0, usd_per_h=2.0)]
    tps = _flat(200.0).assign(q95=[200.0 + 40.0 * hour for hour in range(10)])  # 300 at the third hour, 560 at the last
    found = serving_cost(ALL_CALLS, tps, None, instances, [], 1, NOW)
    assert (found.instances_now, found.instances_most) == (3, 5)
    assert found.more_instances_at == NOW.replace(hour=3)  # 320 need a third of the small ones
    assert found.instances_usd == pytest.approx((3 * 2 + 4 * 3 + 3 * 4) * 0.5 + 10 * 2.0)
    idle = serving_cost(ALL_CALLS, _flat(200.0), None, [], [], 1, NOW)
    assert (idle.instances_now, idle.more_instances_at) == (0, None)


def test_what_is_unknown_is_no_nought() -> None:
    found = serving_cost(ALL_CALLS, _flat(200.0), None, [], [], 1, NOW)
    assert found.calls_usd.value != found.calls_usd.value
    assert found.per_extra_100_tps != found.per_extra_100_tps
    assert found.curve == ()


def test_the_forecast_passes_what_was_stated_for_it() -> None:
    tps = _flat(100.0).assign(q50=[100.0 + 10.0 * hour for hour in range(10)])
    stated = [
        ObjectiveSettings(name="sale", metric="tps", at_least=125.0),
        ObjectiveSettings(name="far", metric="tps", at_least=1000.0),
    ]
    found = serving_cost(ALL_CALLS, tps, None, [], stated, 1, NOW)
    assert found.passes == (("sale", 125.0, NOW.replace(hour=3)),)
