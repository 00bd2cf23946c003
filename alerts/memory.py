"""What alerting keeps from one evaluation to the next, in memory: nothing depends on it but how much is read."""

from dataclasses import dataclass, field
from datetime import datetime

from alerts.usage import UsageMemory


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
    """

    usage: UsageMemory = field(default_factory=UsageMemory)
    sure: bool = False
    verdicts_at: datetime | None = None
