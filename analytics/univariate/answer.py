"""What one of the three questions says of a point."""

from dataclasses import dataclass

from analytics.univariate.cadence import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All of shape (n_series,): 1.0 is the edge; `ready` is False until enough was seen."""

    score: Floats
    lower: Floats
    upper: Floats
    ready: Bools
