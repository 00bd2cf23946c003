"""Error budgets: how fast they are used up, what is left of them, and how long that lasts. Pure.

A budget is the share of bad calls that an objective allows over its window; after the SRE workbook, "Alerting on SLOs"
(https://sre.google/workbook/alerting-on-slos/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.periods import Window

PERIOD = timedelta(days=30)
"""What a budget is for, as in the workbook, where nothing else is said."""

BURN_WINDOWS = (timedelta(hours=1), timedelta(minutes=5), timedelta(hours=6), timedelta(minutes=30), timedelta(days=3))
"""The pairs of the workbook, the long one first: 1 h and 5 min, 6 h and 30 min, 3 d (and 6 h)."""

_LEAST = 1e-6
"""So slow a burn lasts for longer than anybody asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The error budget of a share of bad calls.

    Attributes
    ----------
    left : float
        What is left of the window's budget, as a share; below nought: more than all of it was used.
    burns : tuple of float
        How many times as fast as allowed it was used over each of `BURN_WINDOWS`; NaN: nothing is known.
    exhausted : timedelta or None
        When the rest is used up as in the first of them; None: it is used up, or it outlasts the window.
    """

    left: float
    burns: tuple[float, ...]
    exhausted: timedelta | None


def burn_rate(share: float, at_most: float) -> float:
    """How many times as fast as allowed the budget of `at_most` is used up; 1 uses it up in its window exactly."""
    return share / at_most


def exhausted_in(burn: float, left: float = 1.0, period: timedelta = PERIOD) -> timedelta:
    """How long the part of a budget of `period` that is `left` lasts at this burn rate; `period` or more: it lasts."""
    return left * period / max(burn, _LEAST)


def budget_of(at_most: float, whole: float, windows: Sequence[float], window: Window | None = None) -> Budget:
    """The budget of `at_most` bad calls where `whole` was their share so far, and `windows` over `BURN_WINDOWS`.

    A rolling window has passed as a whole: what it allows is a share of its calls. Of a calendar period only a part has passed,
    and so much of its budget is used as the burn rate so far makes of that part: by traffic that goes on as it came.
    """
    elapsed = 1.0 if window is None else window.elapsed
    period = PERIOD if window is None else window.length
    rest = period if window is None or elapsed == 1.0 else window.end - window.until
    left, burns = 1.0 - burn_rate(whole, at_most) * elapsed, tuple(burn_rate(share, at_most) for share in windows)
    lasts = exhausted_in(burns[0], left, period) if burns[0] > 0 and left > 0 else None
    return Budget(left=left, burns=burns, exhausted=lasts if lasts is not None and lasts < rest else None)
