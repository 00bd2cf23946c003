"""Which side and which change of a metric is told, by default and as configured."""

import numpy as np
import pytest
from pydantic import ValidationError

from analytics.detect import judge
from analytics.detector import DetectorState, judge_span
from analytics.features import Panel
from analytics.triggers import TRIGGERS, triggers_of
from core.config import DetectionSettings
from core.series import Direction, Selector
from tests.support.traffic import Incident
from tests.unit.analytics.builders import MIN_CALLS, SETTINGS, traffic_panel
from tests.unit.analytics.conftest import Learned


def configured(**metrics: dict[str, object]) -> DetectionSettings:
    return DetectionSettings.model_validate({"metrics": metrics})


def test_nothing_configured_is_the_metrics_own() -> None:
    assert triggers_of(SETTINGS) == TRIGGERS


def test_side_factor_and_amount_can_each_be_changed() -> None:
    found = triggers_of(configured(latency_p50={"factor": 3.0}, tps={"direction": "low"}, cost_per_h={"amount": 9.0}))
    assert (found["latency_p50"].effect.factor, found["latency_p50"].lasting.factor) == (3.0, 3.0)
    assert found["latency_p50"].effect.amount == TRIGGERS["latency_p50"].effect.amount
    assert (found["tps"].bad, found["tps"].effect) == (Direction.LOW, TRIGGERS["tps"].effect)
    assert found["cost_per_h"].effect.amount == 9.0
    assert found["error_rate"] == TRIGGERS["error_rate"]


@pytest.mark.parametrize(
    ("direction", "told"),
    [("high", [0.0, 3.0, 0.0]), ("low", [2.0, 0.0, 0.0]), ("both", [2.0, 3.0, 0.0]), ("none", [0.0, 0.0, 0.0])],
)
def test_a_side(direction: str, told: list[float]) -> None:
    trigger = triggers_of(configured(tps={"direction": direction}))["tps"]
    assert trigger.on_bad_side(np.array([-2.0, 3.0, np.nan])).tolist() == told


def test_half_of_an_effect_is_half_of_the_change() -> None:
    effect = TRIGGERS["latency_p95"].effect
    usual = np.array([100.0, 100.0, 100.0, np.nan])
    value = np.array([139.0, 141.0, 125.0, 100.0])
    assert effect.matters(value, usual, 1.0).tolist() == [False, True, False, False]
    assert effect.matters(value, usual, 0.5).tolist() == [True, True, True, False]


def test_a_metric_that_is_not_judged_is_no_metric() -> None:
    with pytest.raises(ValidationError, match="'latency_p99' is not judged; choose from tps, "):
        configured(latency_p99={"factor": 2.0})


@pytest.fixture(scope="module")
def failing(learned: Learned) -> Panel:
    """An hour of noon in which a provider fails from minute 30 to 40."""
    first = learned.days
    fault = Incident(kind="provider_failure", start=first * 1440 + 12 * 60 + 30, minutes=10, target=1, magnitude=0.9)
    panel = traffic_panel(learned.traffic.panels(first, first + 1, (fault,)), first, first + 1)
    return panel.slice(12 * 60, 13 * 60)


def test_judging_follows_the_configuration(learned: Learned, failing: Panel) -> None:
    model = learned.trained
    provider = model.baselines.selectors.index(Selector.of(provider="anthropic"))

    def strongest(settings: DetectionSettings) -> float:
        verdicts = judge(failing, model.baselines, model.forest, MIN_CALLS, triggers_of(settings))
        return float(verdicts.strengths[verdicts.metrics.index("error_rate"), provider].max())

    assert strongest(SETTINGS) > 1.0
    assert strongest(configured(error_rate={"direction": "low"})) == 0.0
    assert strongest(configured(error_rate={"amount": 0.99})) == 0.0


@pytest.mark.parametrize(("confirm", "within", "opened"), [(2, 3, True), (8, 10, True), (12, 15, False)])
def test_m_of_n_minutes_open_an_anomaly(learned: Learned, failing: Panel, confirm: int, within: int, opened: bool) -> None:
    settings = SETTINGS.model_copy(update={"confirm_minutes": confirm, "confirm_within": within, "instant_score": 99.0})
    _, found = judge_span(learned.trained, failing, DetectorState(), settings)
    assert any(one.metric == "error_rate" for one in found) == opened
    starts = {(one.opened_at - one.started_at).total_seconds() / 60 for one in found if one.opened_at is not None}
    assert all(lasted >= confirm for lasted in starts)
