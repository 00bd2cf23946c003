"""What the weekly back-test chose for each series, as one stored model: named arrays, a row a series."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from analytics.forecasting import Choice
from analytics.forecasting.candidates import NAMES
from analytics.forecasting.spread import Spread
from core.series import Selector
from storage.models import StoredModel

KIND = "forecast_choices"
_NUMBERS = ("mean", "growth", "first_day", "independent", "level")
_ARRAYS = {"shares", "size", "quantiles", "numbers", "error_mase"}

SeriesKey = tuple[str, Selector]
"""Metric and selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`version` is empty before the first were made."""

    version: str = ""
    made_at: datetime | None = None
    by_series: Mapping[SeriesKey, Choice] = field(default_factory=dict)


def to_model(choices: Mapping[SeriesKey, Choice], made_at: datetime) -> StoredModel:
    """Raises ValueError where there are none."""
    if not choices:
        raise ValueError("there are no choices to keep")
    every = list(choices.values())
    spreads = [one.spread for one in every]
    return StoredModel(
        version=f"{made_at:%Y%m%dT%H%M%S.%f}Z",
        kind=KIND,
        built_at=made_at,
        meta={"series": [[metric, str(selector)] for metric, selector in choices], "candidates": list(NAMES)},
        arrays={
            "shares": np.array([one.shares for one in every]),
            "size": np.array([spread.size for spread in spreads]),
            "quantiles": np.array([spread.quantiles for spread in spreads]),
            "numbers": np.array([[getattr(spread, name) for name in _NUMBERS] for spread in spreads]),
            "error_mase": np.array([one.error_mase for one in every]),
        },
    )


def from_model(model: StoredModel | None) -> Choices:
    """None at all where the model is missing, or was made of other candidates than there are now."""
    if model is None or model.meta.get("candidates") != list(NAMES) or set(model.arrays) != _ARRAYS:
        return Choices()
    arrays = model.arrays
    found = {}
    for at, (metric, selector) in enumerate(model.meta["series"]):
        numbers = dict(zip(_NUMBERS, map(float, arrays["numbers"][at]), strict=True))
        spread = Spread(size=arrays["size"][at], quantiles=arrays["quantiles"][at], **numbers)
        choice = Choice(shares=arrays["shares"][at], spread=spread, error_mase=float(arrays["error_mase"][at]))
        found[metric, Selector.parse(selector)] = choice
    return Choices(version=model.version, made_at=model.built_at, by_series=found)
