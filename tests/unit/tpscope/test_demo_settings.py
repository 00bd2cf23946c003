"""The demo's configuration: what each scenario wants and must not exceed, at the demo's rate."""

from pathlib import Path
from typing import Any

import pytest

from core.config import Settings
from core.load import load_settings
from tpscope.demo_settings import RECEIVER, demo_config, write_config
from tpscope.simulate.scenario import load_scenario, scenario_names


def made(name: str, rate: float = 5.0) -> Settings:
    return Settings.model_validate(config(name, rate))


def config(name: str, rate: float) -> dict[str, Any]:
    return demo_config(load_scenario(name), rate, Path("demo"), 8080, "127.0.0.1:9092", "http://127.0.0.1:1/")


@pytest.mark.parametrize("name", scenario_names())
def test_each_scenario_has_a_transaction_with_promises_limits_that_are_forecast_and_rules_that_tell(name: str) -> None:
    settings = made(name)
    [transaction] = settings.transactions
    promised = [one for one in settings.objectives if one.transaction == transaction.name]
    assert [one.target is not None for one in promised] == [True, True]
    assert {one.kind for one in settings.limits} >= {"tps", "usd_per_month"}
    for limit in settings.limits:
        assert set(limit.selector) <= set(settings.forecast.by), f"{limit.name} lies on no forecast"
    assert {rule.kind for rule in settings.rules} == {"anomaly", "change", "threshold"}
    assert all(rule.receivers == (RECEIVER,) for rule in settings.rules)


def test_what_counts_calls_scales_with_the_rate_and_what_measures_them_does_not() -> None:
    small, large = made("marketflow", 5.0), made("marketflow", 50.0)
    for one, other in zip(small.limits, large.limits, strict=True):
        assert other.at_most == pytest.approx(10 * one.at_most)
    bounds = {one.name: (one.at_least, one.at_most) for one in large.objectives}
    least, most = bounds["orders-throughput"]
    assert least == pytest.approx(12.5)
    assert most is None
    assert bounds["orders-p99"] == (None, 2000)


def test_the_file_beside_the_data_is_the_configuration_that_runs(tmp_path: Path) -> None:
    assert load_settings(write_config(config("edgestream", 5.0), tmp_path), {}) == made("edgestream")
