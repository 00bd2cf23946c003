"""Series that should have traffic and have none: judged by the same time a day and a week ago. Pure.

Both must have had calls, as far as there is history: a service that rests at night, or at the weekend, is not missed then.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import pandas as pd

from alerts.evaluate import fingerprint_of
from alerts.judgement import Clear, Firing, Judgement
from core.config import AbsenceRule
from core.series import Selector
from render.units import format_number, format_span

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
NOW_SPAN, DAY_SPAN, WEEK_SPAN = 0, 1, 2


def spans_of(rule: AbsenceRule, at: datetime) -> list[tuple[datetime, datetime]]:
    """What must be read: the window that ends at `at`, and the same a day and a week before."""
    return [(at - ago - rule.window, at - ago) for ago in (timedelta(0), DAY, WEEK)]


def judge_absence(
    rule: AbsenceRule, frame: pd.DataFrame, at: datetime, first_data: datetime, open_fingerprints: Collection[str]
) -> Judgement:
    """What the rule says at `at`.

    Parameters
    ----------
    frame : DataFrame
        As `storage.spans.read_spans` gives it over `spans_of(rule, at)`.
    first_data : datetime
        The first minute with calls: of a time before it nothing is known.
    """
    known = [span for span, ago in ((DAY_SPAN, DAY), (WEEK_SPAN, WEEK)) if first_data <= at - ago - rule.window]
    firings, clears = [], []
    for labels, calls in _groups(frame, rule).items():
        fingerprint = fingerprint_of(rule, dict(labels))
        expected = min((calls.get(span, 0.0) for span in known), default=0.0)
        if calls.get(NOW_SPAN, 0.0) > 0:
            if fingerprint in open_fingerprints:
                clears.append(Clear(fingerprint=fingerprint, since=at, recovered=True))
        elif expected >= rule.min_expected:
            firings.append(_firing(rule, dict(labels), expected, at, fingerprint))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def _groups(frame: pd.DataFrame, rule: AbsenceRule) -> dict[tuple[tuple[str, str], ...], dict[int, float]]:
    """Of each group that has calls in one of the spans, its calls by span."""
    found: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
    for row in frame.to_dict("records"):
        key = tuple((name, str(row[name])) for name in rule.by)
        found.setdefault(key, {})[int(row["span"])] = float(row["calls"])
    return found


def _firing(rule: AbsenceRule, labels: dict[str, str], expected: float, at: datetime, fingerprint: str) -> Firing:
    selector = Selector.of({**labels, **rule.selector})
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **selector.labels},
        severity=rule.severity,
        title=f"No traffic: {selector.words}",
        summary=f"Not one call has arrived in the last {format_span(rule.window)}; at this time of the day and the week there "
        f"were at least {format_number(expected)}.",
        metric="tps",
        value=0.0,
        threshold=expected / rule.window.total_seconds(),
        unit="calls/s",
        since=at - rule.window,
        until=at,
        held=True,
        scopes=(selector,),
        runbook=rule.runbook,
    )
