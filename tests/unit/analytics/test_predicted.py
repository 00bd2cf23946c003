"""Series of one selection forecast together: shares stay shares, peaks and latencies follow from the traffic."""

from datetime import UTC, datetime

import numpy as np

from analytics.features import Floats
from analytics.predicted import Known, Wanted, predict
from analytics.predicting import SeriesToForecast
from core.series import ALL_CALLS
from core.types import QUANTILE_COLUMNS
from tests.unit.analytics.forecasting.builders import WEEK, weekly


def wanted(metric: str, values: Floats) -> Wanted:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    series = SeriesToForecast(metric=metric, selector=ALL_CALLS, start=start, values=values, calls=1)
    return Wanted(series=series, choice=None)


def test_rate_limited_calls_peaks_and_latencies_are_forecast_beside_the_traffic() -> None:
    rng = np.random.default_rng(3)
    traffic = weekly(7, noise=0.3, wander=0.0)
    busy = traffic > np.quantile(traffic, 0.8)
    history = {
        "tps": traffic,
        "peak_tps": traffic + 4.0 * np.sqrt(traffic),
        "latency_p95": 100.0 * np.sqrt(traffic) * rng.lognormal(0.0, 0.05, len(traffic)),
        "rate_limited_rate": np.where(busy, rng.beta(8.0, 2.0, len(traffic)), 0.0),
    }
    made = predict([wanted(metric, values) for metric, values in history.items()], WEEK, Known())
    points = {metric: made[metric, ALL_CALLS].points for metric in history}
    assert (points["peak_tps"]["q50"] > points["tps"]["q50"]).all()
    assert made["peak_tps", ALL_CALLS].model.startswith("peak of: ")
    assert "x load^0." in made["latency_p95", ALL_CALLS].model
    limited = points["rate_limited_rate"][list(QUANTILE_COLUMNS)].to_numpy()
    assert 0.0 <= limited.min() < limited.max() <= 1.0
    assert limited[:, -1].mean() > limited[:, 3].mean() > 0.0
