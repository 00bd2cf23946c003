"""What alerting keeps from one evaluation to the next, in memory: nothing depends on it but how much is read."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from alerts.usage import UsageMemory

T = TypeVar("T")


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
    read : dict
        What rules are judged by, under a name of each, with what it was asked for.
    """

    usage: UsageMemory = field(default_factory=UsageMemory)
    sure: bool = False
    verdicts_at: datetime | None = None
    read: dict[Hashable, tuple[object, Any]] = field(default_factory=dict)

    def latest(self, name: Hashable, asked: object, read: Callable[[], T]) -> T:
        """The latest answer under this name, read anew where it was asked otherwise."""
        held: tuple[object, T] | None = self.read.get(name)
        if held is None or held[0] != asked:
            held = self.read[name] = (asked, read())
        return held[1]
