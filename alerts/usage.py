"""What budgets have used so far, read seldom: a month of minutes is much to read, and in seconds it changes little."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

FRESH = timedelta(minutes=2)

Reading = tuple[str, str]
"""Which rule, and what is read for it."""


@dataclass(slots=True)
class UsageMemory:
    """The last readings. What it forgets is read again: nothing depends on it."""

    _kept: dict[Reading, tuple[datetime, object, pd.DataFrame]] = field(default_factory=dict)

    def read(self, reading: Reading, asked: object, now: datetime, fresh: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """What was read lately, else what `fresh` reads; `asked` is the question, which another configuration may change."""
        kept = self._kept.get(reading)
        if kept is not None and kept[1] == asked and timedelta(0) <= now - kept[0] < FRESH:
            return kept[2]
        frame = fresh()
        self._kept[reading] = (now, asked, frame)
        return frame
