"""Where objectives stand: what was so far, whether that keeps the target, and what is left of the error budget."""

import math
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.burning import BURN_WINDOWS, Budget, budget_of
from core.config import ObjectiveSettings, Settings
from core.periods import Window, window_at
from core.transactions import Transaction
from storage.contract import Store
from storage.objectives import counted_span, read_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an objective stands.

    Attributes
    ----------
    window : Window
        What its target is for, as of now.
    version : str
        Of its transaction's definition; numbers of other versions are not among these. Empty without a transaction.
    value : float
        Of a target the bad share so far, else the metric; NaN: nothing is known.
    calls, bad : float
        What was counted so far (calls, or minutes), and how much of it was bad; `bad` is NaN where no share is meant.
    kept : bool or None
        None where it cannot be told: nothing is known, or a rate that should be reached was never asked for.
    budget : Budget or None
        None where it has none, or nothing is known.
    counted_from : datetime or None
        The first minute that the version was counted in, where that lies within the window: before it nothing is known.
    """

    objective: ObjectiveSettings
    window: Window
    version: str
    value: float
    calls: float
    bad: float
    kept: bool | None
    budget: Budget | None
    counted_from: datetime | None = None

    @property
    def budget_calls(self) -> float | None:
        """How many bad calls (or minutes) the budget of the whole window allows, by traffic that goes on as it came."""
        allowed = self.objective.allowed
        return None if allowed is None or math.isnan(self.bad) else allowed * self.calls / self.window.elapsed

    @property
    def low_traffic(self) -> bool:
        """Whether so little was counted that a single bad call is more than the whole budget."""
        return self.budget_calls is not None and self.calls > 0 and self.budget_calls < 1.0


def read_standing(store: Store, settings: Settings, objective: ObjectiveSettings, end: datetime) -> Standing:
    """As of `end`, the end of the newest minute that has arrived."""
    transaction = settings.definition(objective.transaction) if objective.transaction else None
    window = window_at(objective.window, end, ZoneInfo(objective.time_zone or settings.time_zone))
    spans = [(window.start, window.until), *((end - length, end) for length in BURN_WINDOWS)]
    frame = read_shares(store, objective, transaction, spans).set_index("span").reindex(range(len(spans)))
    values = frame["value"].to_numpy("float64").tolist()
    whole = float(values[0])
    allowed = objective.allowed
    limit = objective.at_most if objective.target is None else allowed
    return Standing(
        objective=objective,
        window=window,
        version=transaction.version if transaction else "",
        value=whole,
        calls=float(frame["calls"].fillna(0.0).iloc[0]),
        bad=float(frame["bad"].iloc[0]),
        kept=None if math.isnan(whole) or limit is None else whole <= limit,
        budget=None if allowed is None or math.isnan(whole) else budget_of(allowed, whole, values[1:], window),
        counted_from=_counted_from(store, transaction, window),
    )


def _counted_from(store: Store, transaction: Transaction | None, window: Window) -> datetime | None:
    counted = None if transaction is None else counted_span(store, transaction)
    return None if counted is None or counted.first <= window.start else counted.first
