"""One cause, one message: which incidents are joined to another one instead of being told. Pure.

Follows Alertmanager's inhibition: a *source* mutes a *target*. Sources are incidents of anomalies, because an anomaly is what
analytics has already clustered and explained. A target that is not told keeps its source's id in the label `inhibited_by`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from core.series import Selector, selection_of
from core.types import Incident, Severity

INHIBITED_BY = "inhibited_by"

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A firing, told incident of an anomaly, the selections it concerns, and who was told of it."""

    incident: Incident
    scopes: tuple[Selector, ...]
    receivers: frozenset[str]


def inhibiting(target: Incident, receivers: Collection[str], sources: Iterable[Source]) -> Source | None:
    """The first source that mutes `target`, which would be told to `receivers`; None when it must be told.

    A source mutes what overlaps with it, is not more severe than it, and would reach nobody who has not heard of the source:
    a critical incident is never hidden behind a warning, nor one team's behind another's.
    """
    for source in sources:
        if (
            source.incident.id != target.id
            and _RANK[source.incident.severity] >= _RANK[target.severity]
            and source.receivers.issuperset(receivers)
            and _same_cause(target, source)
        ):
            return source
    return None


def _same_cause(target: Incident, source: Source) -> bool:
    if target.anomaly_id:
        return target.anomaly_id == source.incident.anomaly_id
    about = selection(target.labels)
    return any(overlap(about, scope.labels) for scope in source.scopes)


def overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two selections share calls for certain: they agree on a dimension and contradict each other on none.

    No label at all is all traffic, which every selection is a part of.
    """
    if not one or not other:
        return True
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[name] == other[name] for name in shared)


def selection(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that say which calls: the transaction with its version, else those that are dimensions of a call."""
    return selection_of(labels).labels
