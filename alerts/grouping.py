"""Many alerts, one cause, one incident: new incidents that share what they are about are told as a group. Pure.

A group is an incident of its own that fires as long as one of its members does. Its members keep its id in the label
`grouped_into` and are not told themselves; what comes later and shares the group's dimensions joins it in silence.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.inhibition import INHIBITED_BY, overlap, selection
from alerts.silences import SILENCED_BY
from core.series import METRICS, Selector, metric_of
from core.types import Incident, IncidentState, RankedCause, Severity
from render.units import format_value

GROUPED_INTO = "grouped_into"
GROUP_SIZE = "group_size"
MOST_NAMED = 5
_OF_ONE = frozenset({GROUPED_INTO, INHIBITED_BY, SILENCED_BY})

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Incidents that belong together, and what all of them have in common."""

    members: tuple[Incident, ...]
    shared: tuple[_Pair, ...]


def is_group(incident: Incident) -> bool:
    return GROUP_SIZE in incident.labels


def clusters(candidates: Sequence[Incident], least: int) -> tuple[list[Group], list[Incident]]:
    """Groups of at least `least` incidents that share a dimension's value, the largest first; and those left over.

    What shares no dimension is grouped by its rule: so many at once have one cause more often than not.
    """
    left, groups = list(candidates), []
    while len(left) >= least:
        pair, count = _commonest(left)
        members = [one for one in left if pair is None or pair in _pairs(one)]
        if pair is None or count < least:
            break
        groups.append(_group(members))
        left = [one for one in left if pair not in _pairs(one)]
    by_rule = Counter(one.rule for one in left)
    for rule, count in by_rule.items():
        if count >= least:
            groups.append(_group([one for one in left if one.rule == rule]))
    alone = [one for one in left if by_rule[one.rule] < least]
    return groups, alone


def lead(group: Group, now: datetime) -> Incident:
    """The incident of a new group."""
    worst = max(group.members, key=_badness)
    severity = max((one.severity for one in group.members), key=_RANK.__getitem__)
    started = min(one.started_at for one in group.members)
    key = "|".join([*sorted(one.id for one in group.members[:50]), now.isoformat()])
    found = hashlib.sha256(f"group|{key}".encode()).hexdigest()[:16]
    rule_labels = _labels_in_common(group.members)
    shared = {**rule_labels, **dict(group.shared), GROUP_SIZE: str(len(group.members))}
    return replace(
        worst,
        id=found,
        fingerprint=f'{worst.rule}{{group="{found}"}}',
        state=IncidentState.FIRING,
        severity=severity,
        labels=shared,
        title=_title(group, worst),
        summary=_summary(group),
        started_at=started,
        opened_at=now,
        updated_at=now,
        last_notified_at=None,
        anomaly_id="",
        causes=ranked(group.members),
    )


def joins(incident: Incident, group: Incident) -> bool:
    """Whether a new incident has what all members of an open group share; where they share nothing, the rule."""
    shared = selection(group.labels)
    if not shared:
        return incident.rule == group.rule
    return shared.items() <= selection(incident.labels).items()


def related(incident: Incident, group: Incident) -> bool:
    """Whether an anomaly is about what a told group is about: then it adds its explanation, and no message."""
    shared = selection(group.labels)
    return bool(shared) and overlap(selection(incident.labels), shared)


def ranked(members: Sequence[Incident]) -> tuple[RankedCause, ...]:
    """The dimensions' values that at least half of the members have, by the share that has them."""
    counts = Counter(pair for one in members for pair in _pairs(one))
    found = [(pair, count / len(members)) for pair, count in counts.items() if 2 * count >= len(members)]
    found.sort(key=lambda entry: (-entry[1], entry[0]))
    return tuple(RankedCause(text=f"{name} {value or '(none)'}", share=share) for (name, value), share in found[:MOST_NAMED])


def _group(members: Iterable[Incident]) -> Group:
    chosen = tuple(members)
    shared = set.intersection(*(set(_pairs(one)) for one in chosen))
    return Group(members=chosen, shared=tuple(sorted(shared)))


def _commonest(incidents: Sequence[Incident]) -> tuple[_Pair | None, int]:
    counts = Counter(pair for one in incidents for pair in _pairs(one))
    return min(counts.items(), key=lambda entry: (-entry[1], entry[0])) if counts else (None, 0)


def _pairs(incident: Incident) -> list[_Pair]:
    return list(selection(incident.labels).items())


def _labels_in_common(members: Sequence[Incident]) -> dict[str, str]:
    common = set.intersection(*(set(one.labels.items()) for one in members))
    return {name: value for name, value in sorted(common) if name not in _OF_ONE}


def _badness(incident: Incident) -> tuple[int, float]:
    """Severity, then how far the value is beyond its limit, as a ratio."""
    value, limit = incident.value, incident.threshold
    known = value == value and limit == limit and limit != 0
    return _RANK[incident.severity], abs(value / limit - 1) if known else 0.0


def _title(group: Group, worst: Incident) -> str:
    rules = {one.rule for one in group.members}
    head = worst.title.rsplit(": ", 1)[0] if len(rules) == 1 else f"{len(rules)} rules"
    where = Selector(group.shared).words if group.shared else "nothing in common but the time"
    return f"{head}: {where}, {len(group.members):,} {_what(group)}"


def _what(group: Group) -> str:
    """`routes`, where the members differ by that alone; else `series`."""
    shared = dict(group.shared)
    own = {tuple(name for name in selection(one.labels) if name not in shared) for one in group.members}
    (names,) = own if len(own) == 1 else ((),)
    return f"{names[0]}s" if len(names) == 1 else "series"


def _summary(group: Group) -> str:
    worst = sorted(group.members, key=_badness, reverse=True)[:MOST_NAMED]
    named = "; ".join(f"{Selector.of(selection(one.labels)).words} {_value(one)}".strip() for one in worst)
    rules = ", ".join(sorted({one.rule for one in group.members})[:MOST_NAMED])
    first = f"{len(group.members):,} series broke at about the same time (rules: {rules})."
    return f"{first} The worst: {named}."


def _value(incident: Incident) -> str:
    if incident.value != incident.value:
        return ""
    title = METRICS[incident.metric].title.lower() if incident.metric in METRICS else metric_of(incident.metric).title
    return f"({title} {format_value(incident.value, incident.unit)})"
