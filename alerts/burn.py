"""Burn rates of objectives: how many times as fast as allowed the error budget is used up, over pairs of windows. Pure.

Follows the SRE workbook, "Alerting on SLOs", 6: multiwindow, multi-burn-rate alerts
(https://sre.google/workbook/alerting-on-slos/). An objective has a share that may be bad, its budget: of calls, or of minutes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from alerts.evaluate import fingerprint_of
from alerts.judgement import Clear, Firing, Judgement
from core.burn_pairs import pairs_for
from core.burning import burn_rate, exhausted_in
from core.config import ObjectiveRule, ObjectiveSettings
from core.objective_words import bad_words
from core.rules import BurnWindow
from core.series import ALL_CALLS, METRICS, Selector
from render.units import format_number, format_span, format_value

Spans = dict[timedelta, tuple[float, float, float]]
"""Of each window: the bad share, what was counted, and how much of it was bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is judged: one group of an objective's calls, as of `at`."""

    rule: ObjectiveRule
    objective: ObjectiveSettings
    labels: dict[str, str]
    about: Selector
    spans: Spans
    at: datetime

    @property
    def budget(self) -> float:
        return self.objective.allowed or 1.0


def lengths(rule: ObjectiveRule) -> list[timedelta]:
    """The windows that must be read, each once."""
    return list(dict.fromkeys(length for pair in rule.windows for length in (pair.long, pair.short)))


def pairs_of(rule: ObjectiveRule, objective: ObjectiveSettings) -> list[BurnWindow]:
    """The pairs that a budget is watched by: those that somebody wrote as they stand, else the workbook's for its window."""
    return list(rule.windows) if "windows" in rule.model_fields_set else pairs_for(objective, rule.windows)


def judge_burn(
    rule: ObjectiveRule,
    objective: ObjectiveSettings,
    frame: pd.DataFrame,
    at: datetime,
    open_fingerprints: Collection[str],
    transaction: Selector = ALL_CALLS,
) -> Judgement:
    """What the rule says at `at`.

    Parameters
    ----------
    frame : DataFrame
        As `storage.spans.read_spans` gives it over `lengths(rule)`, each ending at `at`; for an objective of a transaction as
        `storage.objectives.read_shares` does.
    transaction : Selector
        The transaction's selection, which names its version.
    """
    pairs, windows = pairs_of(rule, objective), lengths(rule)
    firings, clears = [], []
    for group, rows in _groups(frame, rule):
        labels = {**group, **transaction.labels, "objective": objective.name}
        fingerprint = fingerprint_of(rule, labels)
        about = transaction if transaction.pairs else Selector.of({**objective.selector, **group, **rule.selector})
        spans = {windows[int(row["span"])]: _counted(row) for row in rows}
        case = _Case(rule=rule, objective=objective, labels=labels, about=about, spans=spans, at=at)
        burning = [pair for pair in pairs if _burns(pair, case)]
        if burning:
            firings.append(_firing(burning[0], case, fingerprint))
        elif fingerprint in open_fingerprints:
            clears.append(Clear(fingerprint=fingerprint, since=at, recovered=True))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def _counted(row: Any) -> tuple[float, float, float]:
    share, calls = float(row["value"]), float(row["calls"])
    return share, calls, float(row["bad"]) if "bad" in row else share * calls


def _burns(pair: BurnWindow, case: _Case) -> bool:
    share, calls, bad = case.spans.get(pair.long, (0.0, 0.0, 0.0))
    now = case.spans.get(pair.short, (0.0, 0.0, 0.0))[0]
    enough = (case.objective.counts_minutes or calls >= case.rule.min_calls) and bad >= case.rule.min_bad
    return enough and burn_rate(share, case.budget) >= pair.burn and burn_rate(now, case.budget) >= pair.burn


def _firing(pair: BurnWindow, case: _Case, fingerprint: str) -> Firing:
    rule, objective = case.rule, case.objective
    share, calls, _ = case.spans[pair.long]
    # A share of slow calls, or of minutes, is no metric: the picture shows what it is about, the message the share.
    metric = "error_rate" if objective.transaction and not objective.counts_minutes and objective.under is None else ""
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **case.about.labels, "objective": objective.name},
        severity=pair.severity,
        title=f"Objective {objective.name} burns its budget too fast: {case.about.words}",
        summary=_summary(case, share, calls, pair.long),
        metric=metric if objective.transaction else objective.metric,
        value=share,
        threshold=case.budget,
        unit="1",
        since=case.at - pair.short,
        until=case.at,
        held=True,
        scopes=(case.about,),
        runbook=rule.runbook,
    )


def _summary(case: _Case, share: float, calls: float, over: timedelta) -> str:
    objective, burn = case.objective, burn_rate(share, case.budget)
    if objective.transaction:
        what = f"{'minutes' if objective.counts_minutes else 'calls'} of {objective.transaction}"
        said = f"{format_value(share, '1')} of {calls:,.0f} {what} over the last {format_span(over)} {bad_words(objective)}"
    else:
        metric = METRICS[objective.metric]
        said = f"{metric.title} was {format_value(share, '1')} over the last {format_span(over)} ({calls:,.0f} calls)"
    return (
        f"{said}; the objective allows {format_value(case.budget, '1')}. That is {format_number(burn)} times as fast: "
        f"a budget of {format_span(objective.length)} is used up in {format_span(exhausted_in(burn, 1.0, objective.length))}."
    )


def _groups(frame: pd.DataFrame, rule: ObjectiveRule) -> list[tuple[dict[str, str], Sequence[Any]]]:
    if not rule.by:
        return [({}, frame.to_dict("records"))] if len(frame) else []
    grouped = frame.groupby(list(rule.by), sort=True)
    return [(dict(zip(rule.by, map(str, key), strict=True)), rows.to_dict("records")) for key, rows in grouped]
