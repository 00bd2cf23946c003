"""What alerting keeps from one evaluation to the next, in memory: nothing depends on it but how much is read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from alerts.usage import UsageMemory
from core.changes import Change, ChangeVerdict


@dataclass(slots=True)
class AlertMemory:
    """A cache.

    Attributes
    ----------
    usage : UsageMemory
        What budgets have used.
    sure : bool
        Whether the last evaluation of this process came to its end, so that nothing that it decided can be lost.
    verdicts_at : datetime or None
        When verdicts that late calls changed were read last.
    changes : tuple or None
        The verdicts on changes, with the minute of which they are.
    shares : dict
        What objectives are judged by, each with what it was asked for.
    """

    usage: UsageMemory = field(default_factory=UsageMemory)
    sure: bool = False
    verdicts_at: datetime | None = None
    changes: tuple[object, list[tuple[Change, ChangeVerdict]]] | None = None
    shares: dict[tuple[str, str], tuple[object, pd.DataFrame]] = field(default_factory=dict)

    def shares_of(self, name: tuple[str, str], asked: object, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The latest answer under this name, read anew where it was asked otherwise."""
        held = self.shares.get(name)
        if held is None or held[0] != asked:
            held = self.shares[name] = (asked, read())
        return held[1]
