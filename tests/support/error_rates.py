"""Errors of which is known what share they are at any second, and when burn rates of them fire."""

import math
from datetime import UTC, datetime, timedelta

import pandas as pd

from alerts.burn import judge_burn, lengths
from core.config import ObjectiveRule, ObjectiveSettings
from core.types import Severity

ERRORS = ObjectiveSettings.model_validate({"name": "errors", "metric": "error_rate", "at_most": 0.001})
"""The workbook's example: 99.9 % good."""
_START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class ErrorRate:
    """A share of errors that changes at given seconds, and its mean over any window before an instant."""

    def __init__(self, *steps: tuple[float, float]) -> None:
        self._steps = [*steps, (math.inf, 0.0)]

    def over(self, at_s: float, length_s: float) -> float:
        total = 0.0
        for (start, share), (end, _) in zip(self._steps, self._steps[1:], strict=False):
            total += share * max(0.0, min(at_s, end) - max(at_s - length_s, start))
        return total / length_s

    def frame(self, rule: ObjectiveRule, at_s: float) -> pd.DataFrame:
        """As `storage.spans.read_spans` gives it for `judge_burn`."""
        shares = [self.over(at_s, length.total_seconds()) for length in lengths(rule)]
        return pd.DataFrame({"span": range(len(shares)), "calls": 1e6, "value": shares})


def fires(rule: ObjectiveRule, errors: ErrorRate, at_s: float) -> Severity | None:
    at = _START + timedelta(seconds=at_s)
    found = judge_burn(rule, ERRORS, errors.frame(rule, at_s), at, ())
    return found.firings[0].severity if found.firings else None


def first(rule: ObjectiveRule, errors: ErrorRate, wanted: bool, start_s: int, end_s: int, step_s: int = 1) -> int:
    """The first second at which the rule fires, or does not."""
    low, high = start_s, end_s
    assert (fires(rule, errors, high) is not None) is wanted
    while high - low > step_s:  # both change once only in these spans
        middle = (low + high) // 2
        low, high = (low, middle) if (fires(rule, errors, middle) is not None) is wanted else (middle, high)
    return high
