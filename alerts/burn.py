"""Burn rates of objectives: how many times as fast as allowed the error budget is used up, over pairs of windows. Pure.

Follows the SRE workbook, "Alerting on SLOs", 6: multiwindow, multi-burn-rate alerts
(https://sre.google/workbook/alerting-on-slos/). An objective's metric is a share of bad calls with `at_most`, its budget.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from alerts.evaluate import fingerprint_of
from alerts.judgement import Clear, Firing, Judgement
from core.burning import burn_rate, exhausted_in
from core.config import ObjectiveRule, ObjectiveSettings
from core.rules import BurnWindow
from core.series import METRICS, Selector
from render.units import format_number, format_span, format_value


def lengths(rule: ObjectiveRule) -> list[timedelta]:
    """The windows that must be read, each once."""
    return list(dict.fromkeys(length for pair in rule.windows for length in (pair.long, pair.short)))


def judge_burn(
    rule: ObjectiveRule, objective: ObjectiveSettings, frame: pd.DataFrame, at: datetime, open_fingerprints: Collection[str]
) -> Judgement:
    """What the rule says at `at`.

    Parameters
    ----------
    frame : DataFrame
        As `storage.spans.read_spans` gives it over `lengths(rule)`, each ending at `at`.
    """
    numbers = {length: number for number, length in enumerate(lengths(rule))}
    firings, clears = [], []
    for labels, rows in _groups(frame, rule):
        spans = {int(row["span"]): (float(row["value"]), float(row["calls"])) for row in rows}
        fingerprint = fingerprint_of(rule, labels)
        burning = [pair for pair in rule.windows if _burns(pair, spans, numbers, rule, objective)]
        if burning:
            firings.append(_firing(rule, objective, burning[0], labels, spans, numbers, at, fingerprint))
        elif fingerprint in open_fingerprints:
            clears.append(Clear(fingerprint=fingerprint, since=at, recovered=True))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def _burns(
    pair: BurnWindow,
    spans: dict[int, tuple[float, float]],
    numbers: dict[timedelta, int],
    rule: ObjectiveRule,
    objective: ObjectiveSettings,
) -> bool:
    share, calls = spans.get(numbers[pair.long], (0.0, 0.0))
    now, _ = spans.get(numbers[pair.short], (0.0, 0.0))
    budget = objective.at_most or 1.0
    return calls >= rule.min_calls and burn_rate(share, budget) >= pair.burn and burn_rate(now, budget) >= pair.burn


def _firing(
    rule: ObjectiveRule,
    objective: ObjectiveSettings,
    pair: BurnWindow,
    labels: dict[str, str],
    spans: dict[int, tuple[float, float]],
    numbers: dict[timedelta, int],
    at: datetime,
    fingerprint: str,
) -> Firing:
    share, calls = spans[numbers[pair.long]]
    budget, metric = objective.at_most or 1.0, METRICS[objective.metric]
    selector = Selector.of({**objective.selector, **labels, **rule.selector})
    burn = burn_rate(share, budget)
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **selector.labels, "objective": objective.name},
        severity=pair.severity,
        title=f"Objective {objective.name} burns its budget too fast: {selector.words}",
        summary=f"{metric.title} was {format_value(share, '1')} over the last {format_span(pair.long)} ({calls:,.0f} calls); "
        f"the objective allows {format_value(budget, '1')}. That is {format_number(burn)} times as fast: "
        f"a budget of 30 days is used up in {format_span(exhausted_in(burn))}.",
        metric=objective.metric,
        value=share,
        threshold=budget,
        unit=metric.unit,
        since=at - pair.short,
        until=at,
        held=True,
        scopes=(selector,),
        runbook=rule.runbook,
    )


def _groups(frame: pd.DataFrame, rule: ObjectiveRule) -> list[tuple[dict[str, str], Sequence[Any]]]:
    if not rule.by:
        return [({}, frame.to_dict("records"))] if len(frame) else []
    grouped = frame.groupby(list(rule.by), sort=True)
    return [(dict(zip(rule.by, map(str, key), strict=True)), rows.to_dict("records")) for key, rows in grouped]
