"""What a replay predicts: the figures before and after a change, with intervals, and what they rest on."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedMetric:
    """One figure as it was, and as it would have been in the same time.

    Attributes
    ----------
    before, after : float
        In `unit`; NaN: cannot be told.
    lower, upper : float
        Interval of `after`, at the prediction's level.
    more_is_better : bool
        On which side good news lies.
    """

    name: str
    title: str
    unit: str
    before: float
    after: float
    lower: float
    upper: float
    more_is_better: bool

    @property
    def relative(self) -> tuple[float, float, float]:
        """Change from before, with its interval, as shares of what was; NaN where there was nothing."""
        if not self.before > 0.0:
            return float("nan"), float("nan"), float("nan")
        change, low, high = (value / self.before - 1.0 for value in (self.after, self.lower, self.upper))
        return change, low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What would have been different in a window.

    Attributes
    ----------
    start, end : datetime
        What is counted: the window without its warm-up.
    calls : int
        Calls that were replayed and counted; `sampled` is which part of all that is.
    metrics : tuple of PredictedMetric
        Empty where the data cannot support an answer: then `refusals` says why.
    effects : tuple of str
        What each change did, in words: calls it concerned, hits, moves, refusals.
    """

    name: str
    start: datetime
    end: datetime
    level: float
    calls: int
    sampled: float
    metrics: tuple[PredictedMetric, ...]
    effects: tuple[str, ...]
    assumptions: tuple[str, ...]
    refusals: tuple[str, ...] = ()

    def metric(self, name: str) -> PredictedMetric:
        """Raises KeyError for a figure that was not predicted."""
        for one in self.metrics:
            if one.name == name:
                return one
        raise KeyError(name)
