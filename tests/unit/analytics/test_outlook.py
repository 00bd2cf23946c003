"""The sentences of limits, by how probable reaching them is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.headroom import crossing
from analytics.outlook import Limit, Measured, ahead, outlook
from core.capacity import Estimate
from core.series import Selector

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 28 * 24


def said(crossed_from_day: list[int | None], kind: str = "tps", minutes: Estimate | None = None) -> str:
    """Of paths which cross from these days on, or never."""
    paths = np.zeros((len(crossed_from_day), HOURS))
    for path, day in zip(paths, crossed_from_day, strict=True):
        path[HOURS if day is None else day * 24 :] = 10.0
    unit = "USD a day" if kind == "usd_per_day" else "calls/s"
    limit = Limit(
        name="edge", kind=kind, selector=Selector.of(gateway="edge"), unit=unit, value=Estimate(value=5, lower=5, upper=5)
    )
    measured = Measured(made_at=FIRST, now=1.0, minutes=minutes)
    return outlook(limit, measured, ahead(limit, crossing(paths, np.array([5.0])), FIRST, ZoneInfo("UTC"))).words


NEVER: list[int | None] = [None] * 100
CASES = [
    (NEVER, "The limit of 5 calls/s for gateway edge is unlikely to be reached within 28 days (probability below 1%)."),
    ([*NEVER[:93], *[3] * 7], "The limit of 5 calls/s for gateway edge may be reached within 28 days (probability 7%)."),
    ([*NEVER[:85], *[3] * 15], "may be reached within 28 days (probability 15%); the chance is 1 in 10 by 2026-03-05 00:00."),
    (
        [*NEVER[:40], *[3] * 40, *[9] * 20],
        "will probably be reached within 28 days (probability 60%): 1 in 10 by 2026-03-05 00:00, "
        "as likely as not by 2026-03-11 00:00.",
    ),
    (
        [*NEVER[:8], *[3] * 32, *[9] * 60],
        "will very probably be reached within 28 days (probability 92%): most likely between 2026-03-05 00:00 "
        "and 2026-03-11 00:00, as likely as not by 2026-03-11 00:00.",
    ),
    ([0] * 100, "will almost certainly be reached within 28 days (probability over 99%): by 2026-03-02 00:00."),
]


@pytest.mark.parametrize(("days", "words"), CASES)
def test_a_limit_is_told_in_a_sentence(days: list[int | None], words: str) -> None:
    assert said(days).endswith(words)


def test_the_sentence_names_what_is_limited_and_the_minutes_of_a_quota() -> None:
    assert said(NEVER, "ceiling").startswith("The measured ceiling of 5 calls/s")
    assert said(NEVER, "usd_per_day").startswith("The budget of 5 USD a day")
    quota = said(NEVER, "calls_per_min", Estimate(value=12.0, lower=8.0, upper=np.inf))
    assert quota.startswith("The quota of 5")
    assert quota.endswith("At the present pace the quota is used up in 12 minutes (8 to more).")
