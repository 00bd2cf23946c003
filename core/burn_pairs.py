"""The pairs of windows that an objective's error budget is watched by. Pure."""

from collections.abc import Sequence

from core.burning import PERIOD
from core.objective_settings import ObjectiveSettings
from core.rules import BurnWindow, workbook_windows

_MOST_OF_POSSIBLE = 0.9
"""Of a loose budget (12 % and more) the workbook's 14.4 would ask for nearly everything to be bad, or for more than that."""


def pairs_for(objective: ObjectiveSettings, pairs: Sequence[BurnWindow] = ()) -> list[BurnWindow]:
    """The workbook's pairs, or `pairs` like them, which are for 30 days, as they are for the objective's own window.

    They use up the same part of its budget, but never less than it allows, and a burn that needs all calls to be bad is made
    one that can be. Pairs that are longer than the window are left out; without a budget there are none.
    """
    if not objective.allowed:
        return []
    most = _MOST_OF_POSSIBLE / objective.allowed
    scale = objective.length / PERIOD
    return [
        pair.model_copy(update={"burn": min(max(pair.burn * scale, 1.0), max(most, 1.0))})
        for pair in pairs or workbook_windows()
        if pair.long < objective.length
    ]
