"""Which values explain a breach."""

import pandas as pd
import pytest

from alerts.causes import rank


def parts(**values: tuple[float, float, float, float]) -> pd.DataFrame:
    """By value: calls and errors of the window, calls and errors before it; every call took 100 ms."""
    rows = []
    for name, (calls, errors, calls_before, errors_before) in values.items():
        rows.append((name, True, calls, errors, calls * 100.0))
        rows.append((name, False, calls_before, errors_before, calls_before * 100.0))
    return pd.DataFrame(rows, columns=["value", "after", "calls", "errors", "latency_ms_sum"])


def test_the_value_that_holds_the_errors_is_named_with_its_share() -> None:
    provider = parts(openai=(300, 90, 300, 3), mistral=(700, 10, 700, 7))
    service = parts(chat=(1000, 100, 1000, 10))
    route = parts(**{f"r{number}": (100.0, 10.0, 100.0, 1.0) for number in range(10)})
    (cause,) = rank("error_rate", {"provider": provider, "service": service, "route": route})
    assert cause.text == "provider openai"
    assert cause.share == pytest.approx(87 / 90)


def test_what_carries_everything_and_what_is_spread_explains_nothing() -> None:
    assert rank("error_rate", {"service": parts(chat=(100, 50, 100, 1))}) == ()
    assert rank("error_rate", {"route": parts(**{f"r{i}": (10.0, 5.0, 10.0, 0.0) for i in range(10)})}) == ()
    assert rank("error_rate", {}) == ()


@pytest.mark.parametrize(("metric", "now", "before"), [("tps", 900, 100), ("tps", 100, 900)])
def test_a_surge_and_a_drop_are_explained_by_who_surged_or_dropped(metric: str, now: float, before: float) -> None:
    tenant = parts(acme=(now, 0, before, 0), other=(1000, 0, 1000, 0))
    (cause,) = rank(metric, {"tenant": tenant})
    assert (cause.text, cause.share) == ("tenant acme", 1.0)


def test_slowness_is_explained_by_who_took_the_time() -> None:
    model = parts(big=(100, 0, 100, 0), small=(900, 0, 900, 0))
    model.loc[(model["value"] == "big") & model["after"], "latency_ms_sum"] = 100 * 2000.0
    (cause,) = rank("latency_p95", {"model": model})
    assert (cause.text, cause.share) == ("model big", 1.0)
