"""From judged minutes to anomalies: a state machine, in goes state and minute, out comes state and events.

One cause is one anomaly. A series opens one when it was anomalous in enough of the last minutes (or very much so in one);
others that stray at about the same time, or that may follow from it, join it. It ends when none of its series has been out for
some minutes in a row. The state is plain JSON, so that a restart in the middle brings the same events with the same ids.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from analytics.detect import LINGERING, MinuteVerdict, severity_of
from analytics.diagnosis import Diagnosis
from analytics.evidence import Evidence, movement, weigh
from analytics.features import DETECTION_METRICS
from analytics.narrative import describe
from analytics.run_state import Run, RunSettings, RunState, Versions
from core.series import METRICS, Direction, Selector
from core.types import Anomaly, Cause, Contribution

_JOIN = timedelta(minutes=5)
"""A series that strays within this of an anomaly's last growth belongs to it …"""
_GROWS = timedelta(minutes=30)
"""… while the anomaly is younger than this; later only what may follow from it joins."""
_MOST_LATER = 1.5
"""What follows is rarely that much stronger than its cause: it is trouble of its own."""
_DIAGNOSE_AGAIN = timedelta(minutes=2)
_DIAGNOSE_AT_LEAST = timedelta(minutes=15)
"""An explanation is made anew after as long as the anomaly had lasted at the last one, within these bounds."""
_PAUSE, _MOST_PAUSE = 1.0 / 3.0, 12.0
"""Quiet minutes that end an anomaly where `resolve_minutes` is less: as a part of those that it lasted, and at most."""
_FAINT, _FAINT_PAUSE = 1.5, 8.0
"""The same of an anomaly that never had such a score."""
_MINUTE = timedelta(minutes=1)

# What may follow from what when it comes later: load and failures touch everything downstream of them.
_LATENCIES = frozenset({"latency_p50", "latency_p95"})
_FOLLOWS: Mapping[str, frozenset[str]] = {
    "tps": frozenset(METRICS),
    "error_rate": frozenset(METRICS) - {"tps"},
    "rate_limited_rate": frozenset(METRICS) - {"tps"},
    "cache_hit_rate": _LATENCIES | {"cache_hit_rate", "tokens_per_s", "cost_per_h"},
    "latency_p50": _LATENCIES | {"error_rate"},
    "latency_p95": _LATENCIES | {"error_rate"},
    "tokens_per_s": _LATENCIES | {"tokens_per_s", "cost_per_h"},
    "cost_per_h": frozenset({"tokens_per_s", "cost_per_h"}),
}


Diagnose = Callable[[Run, MinuteVerdict], Diagnosis | None]
"""Asks the single calls about an open anomaly, up to the end of the minute; None where they cannot be had."""


def advance(
    state: RunState,
    minute: MinuteVerdict,
    settings: RunSettings,
    versions: Versions,
    diagnose: Diagnose | None = None,
) -> tuple[RunState, list[Anomaly]]:
    """Take one judged minute; returns the next state and the anomalies that opened, changed or ended in it.

    A minute that was judged before changes nothing. With `diagnose`, anomalies are asked about when they open and a few times
    more while they last.
    """
    if state.minute and minute.at <= datetime.fromisoformat(state.minute):
        return state, []
    seen = _Seen.of(minute)
    recent = _remember(state, seen, settings)
    groups = _assigned(state.open, seen)
    runs = [_continued(run, seen, groups[run.id]) for run in state.open]
    taken = {row for rows in groups.values() for row in rows}
    opened = _opened(seen, [row for row in seen.hot if row not in taken], recent, settings)
    runs = [*runs, *opened]
    if diagnose is not None:
        runs = [_diagnosed(run, seen, diagnose) for run in runs]
    over = [_is_over(run, settings) for run in runs]
    ended = [run for run, gone in zip(runs, over, strict=True) if gone]
    going = tuple(run for run, gone in zip(runs, over, strict=True) if not gone)
    events = [_anomaly(run, versions, None) for run in going if run.last_at == seen.now]
    events += [_anomaly(run, versions, datetime.fromisoformat(run.quiet_since)) for run in ended]
    return RunState(minute=seen.now, recent=recent, open=going), events


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A minute with what the state machine asks of it; `hot` are the rows that are anomalous."""

    minute: MinuteVerdict
    now: str
    row: Mapping[str, int]
    names: Sequence[str]
    hot: Sequence[int]

    @classmethod
    def of(cls, minute: MinuteVerdict) -> "_Seen":
        names = [str(selector) for selector in minute.selectors]
        return cls(
            minute=minute,
            now=minute.at.isoformat(),
            row={name: index for index, name in enumerate(names)},
            names=names,
            hot=[int(row) for row in np.flatnonzero(minute.score >= 1.0)],
        )

    def out(self, row: int, metric: str) -> bool:
        """Whether a member is still anomalous, or has not recovered in the metric by which it joined."""
        return bool(self.minute.score[row] >= 1.0 or self.minute.faints[self.minute.metrics.index(metric), row] >= LINGERING)

    def metric(self, row: int) -> str:
        """The metric that strays most in a row."""
        return self.minute.metrics[int(np.argmax(self.minute.strengths[:, row]))]


def _remember(state: RunState, seen: _Seen, settings: RunSettings) -> dict[str, list[float]]:
    """Scores of the last minutes with the new one; forgotten after a gap."""
    follows = bool(state.minute) and seen.minute.at - datetime.fromisoformat(state.minute) == _MINUTE
    before = state.recent if follows else {}
    recent = {}
    for name in [*before, *(seen.names[row] for row in seen.hot if seen.names[row] not in before)]:
        score = round(float(seen.minute.score[seen.row[name]]), 4) if name in seen.row else 0.0
        scores = [*before.get(name, []), score][-settings.window :]
        if max(scores) >= 1.0:
            recent[name] = scores
    return recent


def _assigned(runs: Sequence[Run], seen: _Seen) -> dict[str, list[int]]:
    """Rows that belong to each open anomaly in this minute: members that are still out, and those that join it."""
    groups: dict[str, list[int]] = {}
    members: set[int] = set()
    for run in runs:
        rows = {seen.row[name]: metric for name, metric in run.members.items() if name in seen.row}
        members.update(rows)
        groups[run.id] = [row for row, metric in rows.items() if seen.out(row, metric)]
    for row in seen.hot:
        host = next((run for run in reversed(runs) if row not in members and _belongs(run, row, seen)), None)
        if host is not None:
            groups[host.id].append(row)
    return groups


def _belongs(run: Run, row: int, seen: _Seen) -> bool:
    """Whether a series that strays now is part of an open anomaly: at about the same time, or as a consequence."""
    now = seen.minute.at
    young = now - datetime.fromisoformat(run.started_at) <= _GROWS
    if young and now - datetime.fromisoformat(run.grown_at) <= _JOIN:
        return True
    lead = run.lead
    metric = seen.metric(row)
    if run.quiet or metric not in _FOLLOWS.get(lead.metric, frozenset()):
        return False
    if seen.minute.score[row] > _MOST_LATER * run.score:
        return False
    # Another value of the leading dimension holds other calls: it cannot follow from them.
    scope, name = seen.minute.selectors[row].dimensions, seen.names[row]
    return name == lead.selector or not lead.selector or scope != Selector.parse(lead.selector).dimensions


def _continued(run: Run, seen: _Seen, rows: Sequence[int]) -> Run:
    """The run after this minute, given the rows of it that are out."""
    if not rows:
        since = run.quiet_since if run.quiet else seen.now
        return replace(run, quiet=run.quiet + 1, quiet_since=since)
    newcomers = {seen.names[row]: seen.metric(row) for row in rows if seen.names[row] not in run.members}
    return replace(
        run,
        last_at=seen.now,
        grown_at=seen.now if newcomers else run.grown_at,
        quiet=0,
        quiet_since="",
        score=max(run.score, float(seen.minute.score[list(rows)].max())),
        members={**run.members, **newcomers},
        evidence=weigh(run.evidence, seen.minute, seen.names, rows),
    )


def _is_over(run: Run, settings: RunSettings) -> bool:
    """Whether it was quiet for long enough: trouble that few calls tell of seems to pause, and what creeps returns stronger."""
    lasted = datetime.fromisoformat(run.last_at) - datetime.fromisoformat(run.started_at)
    pause = min(_PAUSE * (lasted / _MINUTE), _MOST_PAUSE)
    return run.quiet >= max(settings.resolve_minutes, pause, _FAINT_PAUSE if run.score < _FAINT else 0.0)


def _opened(seen: _Seen, rows: list[int], recent: Mapping[str, list[float]], settings: RunSettings) -> list[Run]:
    """One new anomaly of all rows that stray and belong to no other, once one of them is confirmed."""
    score, sure = seen.minute.score, seen.minute.sure
    confirmed = [row for row in rows if settings.confirms(score[row], sure[row], recent[seen.names[row]])]
    if not confirmed:
        return []
    ago = max(_minutes_ago(recent[seen.names[row]]) for row in confirmed)
    started = (seen.minute.at - ago * _MINUTE).isoformat()
    evidence = weigh((), seen.minute, seen.names, rows)
    lead = max(evidence, key=lambda part: part.led)
    name = f"{started}|{lead.metric}|{lead.selector}"
    return [
        Run(
            id=hashlib.sha256(name.encode()).hexdigest()[:16],
            started_at=started,
            opened_at=(seen.minute.at + _MINUTE).isoformat(),
            last_at=seen.now,
            grown_at=seen.now,
            quiet=0,
            quiet_since="",
            score=float(seen.minute.score[rows].max()),
            members={seen.names[row]: seen.metric(row) for row in rows},
            evidence=evidence,
        )
    ]


def _diagnosed(run: Run, seen: _Seen, diagnose: Diagnose) -> Run:
    """The run with a fresh diagnosis where one is due: when it opened, and as long after as it had lasted then."""
    if run.last_at != seen.now:
        return run
    if run.diagnosed_at:
        age = datetime.fromisoformat(run.diagnosed_at) - datetime.fromisoformat(run.started_at)
        since = seen.minute.at - datetime.fromisoformat(run.diagnosed_at)
        if since < min(max(age, _DIAGNOSE_AGAIN), _DIAGNOSE_AT_LEAST):
            return run
    found = diagnose(run, seen.minute)
    return replace(run, diagnosis=found or run.diagnosis, diagnosed_at=seen.now)


def _minutes_ago(scores: list[float]) -> int:
    """How many minutes before the last the first anomalous one was."""
    return len(scores) - 1 - next(index for index, score in enumerate(scores) if score >= 1.0)


def _anomaly(run: Run, versions: Versions, ended_at: datetime | None) -> Anomaly:
    diagnosis = run.diagnosis
    lead = _told(run, diagnosis)
    ordered = (lead, *(part for part in run.evidence if part is not lead))
    total = sum(part.moved for part in ordered) or 1.0
    movements = [movement(part) for part in ordered]
    started = datetime.fromisoformat(run.started_at)
    return Anomaly(
        id=run.id,
        started_at=started,
        last_at=datetime.fromisoformat(run.last_at),
        ended_at=ended_at,
        selector=movements[0].selector,
        metric=lead.metric,
        direction=Direction(lead.direction),
        score=run.score,
        severity=severity_of(run.score),
        observed=lead.observed,
        expected=lead.expected,
        lower=lead.lower,
        upper=lead.upper,
        contributions=tuple(
            Contribution(
                selector=moved.selector,
                metric=part.metric,
                observed=part.observed,
                expected=part.expected,
                lower=part.lower,
                upper=part.upper,
                share=part.moved / total,
            )
            for moved, part in zip(movements, ordered, strict=True)
        ),
        explanation=describe(movements[0], movements[1:], started, ended_at, diagnosis),
        model_version=versions.model,
        baseline_version=versions.baseline,
        opened_at=datetime.fromisoformat(run.opened_at) if run.opened_at else None,
        causes=diagnosis.causes if diagnosis else _causes(ordered),
        hint=diagnosis.hint if diagnosis else "",
        evidence=diagnosis.evidence if diagnosis else "",
        unmoved=tuple(name for name in DETECTION_METRICS if name not in {part.metric for part in run.evidence}),
        related=diagnosis.related if diagnosis else (),
    )


def _told(run: Run, diagnosis: Diagnosis | None) -> Evidence:
    """The series that leads; of the selections that strayed in its metric the first that the single calls name."""
    lead = run.lead
    strayed = {part.selector: part for part in run.evidence if part.metric == lead.metric}
    named = [str(cause.selector) for cause in diagnosis.causes[:1]] if diagnosis else []
    return next((strayed[name] for name in named if name in strayed), lead)


def _causes(ordered: Sequence[Evidence]) -> tuple[Cause, ...]:
    """What the minutes alone say of the causes, where the single calls were not asked."""
    lead = ordered[0]
    return tuple(
        Cause(
            selector=Selector.parse(part.selector),
            observed=part.observed,
            expected=part.expected,
            share=part.share,
            surprise=part.led,
        )
        for part in ordered
        if part.metric == lead.metric
    )
