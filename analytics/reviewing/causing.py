"""Why a figure changed: in which part of the selection, since which change, with which incident or anomaly. Pure."""

import math
from collections.abc import Sequence
from datetime import datetime

from core.changes import Change
from core.masks import holds
from core.reviews import CausePart, Compared
from core.series import Selector
from core.types import Anomaly, Incident

_MOST_OF_IT = 0.6
_NEARLY_ALL_CALLS = 0.95
_LEAST_CALLS = 50
_AS_WELL = 0.9


def main_part(whole: Compared, parts: Sequence[Compared]) -> CausePart | None:
    """The part that holds most of the change: the one whose share of it exceeds its share of the calls the most.

    Rates and costs add up exactly: a rate's parts by their errors, over all calls of the selection. Percentiles do not; their
    parts are weighed by calls, which names the right one where one part moved and the others did not.
    """
    if not _covered(whole, parts):
        return None
    moved = [_moved(whole, one) for one in parts]
    total = whole.value - whole.before if whole.metric != "latency_p95" else sum(moved)
    if not total or not math.isfinite(total) or (total > 0) != (whole.value > whole.before):
        return None
    found = [
        (amount / total, one)
        for amount, one in zip(moved, parts, strict=True)
        if amount / total >= _MOST_OF_IT
        and max(one.calls, one.calls_before) >= _LEAST_CALLS
        and one.calls < _NEARLY_ALL_CALLS * whole.calls
    ]
    best = max(found, key=lambda entry: (entry[0] - entry[1].calls / whole.calls, str(entry[1].selector)), default=None)
    if best is None:
        return None
    share, one = best
    return CausePart(selector=one.selector, value=one.value, before=one.before, share=share)


def _covered(whole: Compared, parts: Sequence[Compared]) -> bool:
    """Whether the parts were known as well before as now: single calls, which tell them apart, are not kept for ever."""
    now, before = sum(one.calls for one in parts), sum(one.calls_before for one in parts)
    return before * whole.calls >= _AS_WELL * now * whole.calls_before


def _moved(whole: Compared, one: Compared) -> float:
    """What the part adds to the change, in the metric's unit."""
    now, before = (value if math.isfinite(value) else 0.0 for value in (one.value, one.before))
    if whole.metric == "cost_per_h":
        return now - before
    if whole.metric == "error_rate":
        return now * one.calls / whole.calls - before * one.calls_before / max(whole.calls_before, 1)
    known = math.isfinite(one.value) and math.isfinite(one.before)
    return (now - before) * one.calls / whole.calls if known else 0.0


def touching(changes: Sequence[Change], selector: Selector) -> list[Change]:
    """Changes that may have touched the selection, as nothing that both name differs; the latest first."""
    found = [one for one in changes if _compatible(one.selector, selector)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _compatible(one: Selector, other: Selector) -> bool:
    return all(other.labels.get(name, value) == value for name, value in one.pairs)


def explains(whole: Compared, before: float, after: float) -> bool:
    """Whether the step at a change goes the same way as the change between the periods, and is most of it."""
    step, all_of_it = after - before, whole.value - whole.before
    return math.isfinite(step) and step * all_of_it > 0 and abs(step) >= _MOST_OF_IT * abs(all_of_it)


def incident_of(whole: Compared, part: CausePart | None, incidents: Sequence[Incident]) -> Incident | None:
    """The longest incident of the metric that concerns the selection or the part of it that moved."""
    concerned = [one for one in incidents if one.metric == whole.metric and _concerns(one, whole.selector, part)]
    return max(concerned, key=lambda one: (_length(one), one.id), default=None)


def _concerns(incident: Incident, selector: Selector, part: CausePart | None) -> bool:
    labels = {name: value for name, value in incident.labels.items() if name in _DIMENSIONS}
    wanted = [selector] if part is None else [selector, part.selector]
    if any(cause.text == f"{name} {value}" for cause in incident.causes for name, value in selector.pairs):
        return True
    return any(labels.items() <= one.labels.items() or one.labels.items() <= labels.items() for one in wanted if labels)


_DIMENSIONS = frozenset({"gateway", "region", "service", "method", "route", "tenant", "provider", "model", "account"})


def _length(incident: Incident) -> float:
    ended = incident.resolved_at or incident.updated_at
    return (ended - incident.started_at).total_seconds()


def anomaly_of(whole: Compared, anomalies: Sequence[Anomaly], start: datetime) -> Anomaly | None:
    """The most severe anomaly of the metric in the selection, or in a part of it, since `start`."""
    found = [
        one
        for one in anomalies
        if one.metric == whole.metric and holds(one.selector, whole.selector) and not one.muted and one.started_at >= start
    ]
    return max(found, key=lambda one: (one.severity, one.id), default=None)
