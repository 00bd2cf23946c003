"""What becomes of a verdict when the minutes look otherwise with the calls that came late."""

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.rescoring import rescored
from analytics.run_state import RunSettings
from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly, AnomalyVerdict
from tests.unit.analytics.builders import MONDAY
from tests.unit.analytics.test_over import ERRORS, LOUD, judged

RULES = RunSettings(confirm_minutes=2, confirm_within=3)
TOLD = Anomaly(
    id="a", started_at=MONDAY, last_at=MONDAY + timedelta(minutes=5), ended_at=MONDAY + timedelta(minutes=6),
    selector=ALL_CALLS, metric="error_rate", direction=Direction.HIGH, score=2.0, severity=0.8, observed=0.3, expected=0.01,
    lower=0.0, upper=0.05, contributions=(), explanation="Error rate rose to 30 %.", model_version="v", baseline_version="v",
)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "verdict"), [(2.0, AnomalyVerdict.STANDS), (2.15, AnomalyVerdict.STANDS), (4.0, AnomalyVerdict.AMENDED)]
)
def test_a_verdict_stands_unless_its_score_changes(told: float, verdict: AnomalyVerdict) -> None:
    before = replace(TOLD, score=told)
    after = rescored(before, judged({LOUD: [2, 3]}), 40, RULES)
    assert after.verdict == verdict
    assert (after == before) == (verdict is AnomalyVerdict.STANDS)


def test_what_is_amended_has_the_new_numbers_and_says_by_what() -> None:
    verdicts = judged({LOUD: [2, 3]})
    verdicts.values["error_rate"][LOUD, 2] = 0.12
    after = rescored(replace(TOLD, score=4.0), verdicts, 40, RULES)
    assert (after.score, after.severity, after.observed) == (2.0, 0.8, 0.12)
    assert after.explanation == "Error rate rose to 30 %. Amended with 40 late calls: score 2.00 instead of 4.00."
    again = rescored(replace(after, score=9.0), verdicts, 1, RULES)
    assert again.explanation == "Error rate rose to 30 %. Amended with 1 late call: score 2.00 instead of 9.00."


@pytest.mark.parametrize("out", [{}, {LOUD: [3]}, {LOUD: [2, 7]}])
def test_what_would_open_no_anomaly_is_withdrawn(out: dict[int, list[int]]) -> None:
    after = rescored(TOLD, judged(out), 40, RULES)
    assert (after.verdict, after.score, after.id) == (AnomalyVerdict.WITHDRAWN, 2.0 if out else 0.0, "a")
    assert after.explanation.endswith("Withdrawn: with 40 late calls it would not have been told.")


def test_a_series_that_is_judged_no_more_is_left_as_it_was() -> None:
    gone = replace(TOLD, selector=Selector.of(route="/gone"))
    assert rescored(gone, judged({}), 40, RULES) == gone
    assert judged({LOUD: [2]}).strengths[ERRORS, LOUD, 2] == 2.0
