"""What all calls of a window cost, wait, lose and repeat: the whole of which gains are shares."""

from dataclasses import dataclass

import numpy as np

from analytics.recommending.measures import overhead_ms, waited_ms
from analytics.replay.calls import LoggedCalls
from core.config import LimitSettings, ObjectiveSettings
from core.recommendations import Effect
from core.series import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """Logged calls with what is configured about them, and their totals.

    Attributes
    ----------
    cost_usd, waited_ms, rejected, retries : float
        Sums over the window.
    """

    calls: LoggedCalls
    limits: tuple[LimitSettings, ...]
    objectives: tuple[ObjectiveSettings, ...]
    seed: int
    cost_usd: float
    waited_ms: float
    rejected: float
    retries: float
    hours: float

    @classmethod
    def of(
        cls,
        calls: LoggedCalls,
        limits: tuple[LimitSettings, ...] = (),
        objectives: tuple[ObjectiveSettings, ...] = (),
        seed: int = 1,
    ) -> "Estate":
        return cls(
            calls=calls,
            limits=limits,
            objectives=objectives,
            seed=seed,
            cost_usd=float(np.nansum(calls.cost_usd)),
            waited_ms=float(np.nansum(waited_ms(calls))),
            rejected=float(calls.rejected.sum()),
            retries=float(calls.retries.sum()),
            hours=(calls.end - calls.start).total_seconds() / 3600.0,
        )

    @property
    def overhead_ms(self) -> float:
        return float(np.nansum(overhead_ms(self.calls)))


def confidence_of(effect: Effect) -> float:
    """How little of the effect its interval leaves open: 1 for none of it, 0 where even its sign is."""
    size = abs(effect.after - effect.before)
    if not size > 0.0 or not np.isfinite([effect.lower, effect.upper]).all():
        return 0.0
    return float(np.clip(1.0 - (effect.upper - effect.lower) / 2.0 / size, 0.0, 1.0))


def share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0


def comparing(scope: Selector, what: str) -> str:
    """How to verify with the command that compares two windows."""
    selector = f" --selector '{scope}'" if scope.pairs else ""
    return f"{what}; tpscope baseline compare FROM..TO 1d{selector} puts a day before beside the day after"
