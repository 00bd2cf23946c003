"""Error budgets: how fast they are used up, and how long they last. Pure.

A budget is the share of bad calls that an objective allows over `PERIOD`; after the SRE workbook, "Alerting on SLOs"
(https://sre.google/workbook/alerting-on-slos/).
"""

from datetime import timedelta

PERIOD = timedelta(days=30)
"""What a budget is for, as in the workbook."""

_LEAST = 1e-6
"""So slow a burn lasts for longer than anybody asks."""


def burn_rate(share: float, at_most: float) -> float:
    """How many times as fast as allowed the budget of `at_most` is used up; 1 uses it up in `PERIOD` exactly."""
    return share / at_most


def exhausted_in(burn: float, left: float = 1.0) -> timedelta:
    """How long the part of a budget that is `left` lasts at this burn rate; `PERIOD` or more: it lasts."""
    return left * PERIOD / max(burn, _LEAST)
