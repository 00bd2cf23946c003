"""Threshold rules over the seconds just past: a breach is found within seconds, not when its minute is complete. Pure.

Only what part of the data cannot make look worse than it is: conditions `above` without `hold`. They open incidents and keep
them open; that a condition is gone is said by whole minutes alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.evaluate import fingerprint_of, threshold_firing
from alerts.judgement import Firing, Judgement
from core.clock import floor_to
from core.config import ThresholdRule
from core.series import TRANSACTION, Selector

STEP = timedelta(seconds=5)
"""How often they are judged."""
SECOND = timedelta(seconds=1)
LONGEST = timedelta(minutes=5)
"""Longer windows gain little by being judged within a minute, and would be read from very many seconds."""


def is_live(rule: ThresholdRule) -> bool:
    """Whether seconds can tell; transactions are counted by whole minutes alone."""
    if TRANSACTION in rule.by or rule.transaction or TRANSACTION in rule.selector:
        return False
    return rule.above is not None and not rule.hold and not rule.delay and rule.window <= LONGEST


def span_at(rule: ThresholdRule, now: datetime) -> tuple[datetime, datetime]:
    """The window that ends at the last whole second before `now`."""
    end = floor_to(now, SECOND)
    return end - rule.window, end


def judge_live(rule: ThresholdRule, frame: pd.DataFrame, now: datetime, zone: ZoneInfo) -> Judgement:
    """What breaches just now; `frame` is as `storage.spans.read_spans` gives it over `[span_at(rule, now)]`."""
    start, end = span_at(rule, now)
    firings = []
    for row in frame.to_dict("records"):
        value, calls = float(row["value"]), int(row["calls"])
        if calls >= rule.min_calls and rule.above is not None and value > rule.above:
            labels = {name: str(row[name]) for name in rule.by}
            selector = Selector.of(labels | rule.selector)
            fingerprint = fingerprint_of(rule, labels)
            firings.append(threshold_firing(rule, selector, fingerprint, value, calls, (start, end), zone, held=True))
    return Judgement(firings=tuple(firings))


def merged(minutes: Sequence[Judgement], live: Iterable[Firing]) -> list[Judgement]:
    """Both; where a minute and the seconds after it differ, the seconds are the news, but not on when it began."""
    fresh = {firing.fingerprint: firing for firing in live}
    found = []
    for judgement in minutes:
        known = {firing.fingerprint for firing in judgement.firings if firing.held}
        for fingerprint in known & fresh.keys():
            since = next(firing.since for firing in judgement.firings if firing.fingerprint == fingerprint)
            fresh[fingerprint] = replace(fresh[fingerprint], since=min(since, fresh[fingerprint].since))
        found.append(
            Judgement(
                firings=tuple(one for one in judgement.firings if one.fingerprint not in fresh),
                clears=tuple(one for one in judgement.clears if one.fingerprint not in fresh),
            )
        )
    return [*found, Judgement(firings=tuple(fresh.values()))]
