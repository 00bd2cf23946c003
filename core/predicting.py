"""What whoever replays logged calls promises to the web room: the process hands it over."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from core.predictions import Prediction
from core.whatif import WhatIf

Progress = Callable[[float], None]
"""Is told which part of the work is done, in [0, 1]; it may raise, which ends the work."""


def unheard(_part: float) -> None:
    """For whoever does not ask."""


class Predictor(Protocol):
    """Says what a scenario would have changed."""

    def __call__(self, scenario: WhatIf, now: datetime, progress: Progress, /) -> Prediction:
        """Read and replay the calls; `now` is where a window of the last so much ends.

        Blocks, for minutes where there are many calls. Raises what `progress` raises and what the store raises.
        """
