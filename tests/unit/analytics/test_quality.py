"""On simulated traffic that was not used for tuning: faults are found in time, called by name, and calm days stay calm."""

from collections.abc import Sequence

import pytest

from core.types import Anomaly
from tests.support.traffic import DAY_MINUTES, NAMES, Incident, Kind
from tests.unit.analytics.builders import MINUTE, judged_days
from tests.unit.analytics.conftest import Learned

HOURS = (3, 11, 20)
"""Of one day, at the trough and in the middle of it: when a fault begins."""
_CAUSE = {
    "provider_failure": ("provider", {"error_rate"}),
    "latency_creep": ("provider", {"latency_p50", "latency_p95"}),
    "surge": (None, {"tps"}),
    "token_runaway": ("model", {"tokens_per_s", "cost_per_h"}),
    "silent_route": ("route", {"tps"}),
}


def test_two_calm_days_of_sixty_selections_raise_hardly_anything(learned: Learned) -> None:
    found = judged_days(learned.traffic, learned.trained, learned.days, learned.days + 2)
    assert len(learned.trained.baselines.selectors) == 59
    assert len(found) <= 1, [anomaly.explanation for anomaly in found]


@pytest.mark.parametrize(
    ("kind", "target", "magnitude", "minutes", "within"),
    [
        ("provider_failure", 1, 0.6, 12, 1),
        ("provider_failure", 0, 1.0, 12, 1),
        ("surge", 0, 3.0, 12, 1),
        ("token_runaway", 0, 5.0, 15, 5),
        ("silent_route", 6, 0.0, 15, 4),
        ("latency_creep", 0, 3.0, 30, 10),
    ],
)
def test_a_fault_is_found_in_time_and_called_by_name(
    learned: Learned, kind: Kind, target: int, magnitude: float, minutes: int, within: int
) -> None:
    """`within` counts whole minutes of the fault until the anomaly is open; 1: the first."""
    starts = [(learned.days + 1) * DAY_MINUTES + hour * 60 for hour in HOURS]
    faults = tuple(Incident(kind=kind, start=start, minutes=minutes, target=target, magnitude=magnitude) for start in starts)
    found = judged_days(learned.traffic, learned.trained, learned.days + 1, learned.days + 2, faults)
    for start in starts:
        _check(learned, found, kind, target, start, minutes, within)
    assert len(found) <= len(HOURS) + 1


def _check(learned: Learned, found: Sequence[Anomaly], kind: Kind, target: int, start: int, minutes: int, within: int) -> None:
    began = learned.traffic.at(start)
    ours = [anomaly for anomaly in found if began <= anomaly.started_at < began + minutes * MINUTE]
    assert len(ours) == 1, [anomaly.explanation for anomaly in found]
    anomaly = ours[0]
    dimension, metrics = _CAUSE[kind]
    assert str(anomaly.selector) == (f'{dimension}="{NAMES[dimension][target]}"' if dimension else "")
    assert anomaly.metric in metrics
    assert (anomaly.started_at - began) / MINUTE < within
    assert anomaly.ended_at is not None
    assert anomaly.ended_at <= began + (minutes + 5) * MINUTE
    assert anomaly.severity > 0.5
    assert anomaly.selector.words in anomaly.explanation or not dimension
