"""A sample is said to have moved first only if its changes did; what merely climbs or wanders along says nothing."""

import numpy as np
import pytest

from analytics.diagnosis import Diagnosis
from analytics.features import Floats
from analytics.leading import went_ahead, with_leading
from analytics.related import related_series
from core.series import ALL_CALLS, Selector
from core.types import Related

ROUTE = Selector.of(route="/x")
NOTHING = Diagnosis(causes=(), hint="", evidence="errors of all routes")


def rise(at: float) -> Floats:
    return np.asarray(10.0 / (1.0 + np.exp(at - np.arange(60))))


def related_to(latency: Floats, sample: Floats) -> tuple[Related, ...]:
    return related_series({"latency_p50": latency[None]}, (ROUTE,), "latency_p50", ROUTE, {"queue_depth": sample})


def evidence(latency: Floats, sample: Floats) -> str:
    found = related_to(latency, sample)
    return with_leading(NOTHING, found, {"queue_depth": sample}, latency).evidence


@pytest.mark.parametrize("lead", [2, 4, 8])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_queue_that_grows_before_is_named_with_its_minutes(lead: int, sign: float) -> None:
    rng = np.random.default_rng(lead)
    latency, queue = rise(40) + rng.normal(0, 0.4, 60), sign * rise(40 - lead) + rng.normal(0, 0.4, 60)
    said = evidence(latency, queue)
    assert said.startswith("errors of all routes; queue_depth " + ("rose" if sign > 0 else "fell"))
    assert int(said.split()[-3]) == pytest.approx(lead, abs=1)


def test_what_moves_at_the_same_time_or_later_is_not_ahead() -> None:
    for lead in (0, 1, -4):
        assert evidence(rise(40), rise(40 - lead)) == "errors of all routes"


def test_a_slow_climb_is_related_and_still_not_ahead() -> None:
    """Nonsense correlations: a trend correlates with whatever rises late in the hour, best at some lag."""
    said, related = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        latency, climb = np.clip(np.arange(60) - 30.0, 0, None) + rng.normal(0, 2, 60), np.arange(60.0) + rng.normal(0, 4, 60)
        found = related_to(latency, climb)
        related += any(one.lag_minutes >= 2 for one in found)
        said += "queue" in evidence(latency, climb)
    assert related > 20
    assert said <= 1


def test_constants_and_an_unknown_leading_series_say_nothing() -> None:
    one = Related(selector=ALL_CALLS, metric="queue_depth", lag_minutes=3, correlation=0.9)
    assert not went_ahead(np.zeros(60), rise(40), one)
    assert not went_ahead(rise(37), np.zeros(60), one)
    assert not went_ahead(rise(2)[:8], rise(5)[:8], one)
    assert with_leading(NOTHING, (one,), {"queue_depth": rise(37)}, None).evidence == "errors of all routes"
