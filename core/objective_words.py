"""What objectives say, in plain words. Pure."""

import math
from datetime import timedelta

from core.config import ObjectiveSettings
from core.durations import format_duration
from core.series import Selector

_LEAST_BAD = 1e-9


def good_words(bad: float) -> str:
    """The good share beside a bad one, as exact as the bad one is worth telling: `99.93 %`."""
    if not math.isfinite(bad):
        return "no data"
    decimals = min(max(1 - math.floor(math.log10(max(100.0 * bad, _LEAST_BAD))), 0), 6)
    text = f"{100.0 * (1.0 - bad):.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def window_words(objective: ObjectiveSettings) -> str:
    """`28d`, or `this month`."""
    window = objective.window
    return format_duration(window) if isinstance(window, timedelta) else f"this {window}"


def measure_words(objective: ObjectiveSettings) -> str:
    """What is counted: `calls of checkout good`, `… good within 500ms`, `minutes of checkout with 5 calls/s or more`."""
    if not objective.transaction:
        return f"{objective.metric} of {Selector.of(objective.selector).words}"
    if objective.counts_minutes:
        return f"minutes of {objective.transaction} with {objective.at_least:g} calls/s or more"
    within = "" if objective.under is None else f" within {format_duration(objective.under)}"
    return f"calls of {objective.transaction} good{within}"


def bad_words(objective: ObjectiveSettings) -> str:
    """What bad calls, or minutes, of a transaction's objective did."""
    if objective.counts_minutes:
        return f"had less than {objective.at_least:g} calls/s"
    return "were not good" if objective.under is None else f"were not good within {format_duration(objective.under)}"
