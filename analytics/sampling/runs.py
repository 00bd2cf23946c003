"""From judged points of samples to anomalies: what strays opens one, what strays with it joins, what is quiet ends it.

The detector's own cooldown lets an alarm count once. An anomaly goes on while its series stay out of their ranges, and it has
ended after `detection.resolve_minutes` steps without that. A series that has been seen for less than
`detection.min_history` is learning: nothing is told of it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from analytics.detect import severity_of
from analytics.sampling.series import JudgedPoint
from analytics.wording import clock_time, number
from core.record import DIMENSIONS
from core.series import SAMPLE, Direction, Selector, sample_series
from core.types import Anomaly, Cause, Contribution

_JOIN_MINUTES = 5
"""Series of one name that stray within so long of one another are one anomaly: the queues of all instances."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A series of samples: its name and labels, from and to the text by which it is called."""

    name: str
    labels: Mapping[str, str]

    @property
    def text(self) -> str:
        return sample_series(self.name, self.labels)

    @property
    def selector(self) -> Selector:
        """The calls it is about, as far as its labels are dimensions of calls."""
        return Selector.of({name: value for name, value in self.labels.items() if name in DIMENSIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An open anomaly; minutes are whole ones since 1970. `worst` has each series' furthest point, `step` is in minutes."""

    id: str
    started: int
    opened: int
    last: int
    step: int
    worst: Mapping[str, JudgedPoint]

    @property
    def lead(self) -> JudgedPoint:
        return max(self.worst.values(), key=lambda point: (point.score, point.key))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """From `to_json`, also after a way through JSON."""
        return cls(**{**state, "worst": {key: JudgedPoint(**_finite(point)) for key, point in state["worst"].items()}})


def advance(
    runs: Sequence[Run],
    points: Sequence[JudgedPoint],
    end: int,
    keys: Mapping[str, Key],
    steps: Mapping[str, int],
    resolve: int,
) -> tuple[tuple[Run, ...], list[Anomaly]]:
    """Take the judged points of a span, ascending, that ends before the minute `end`.

    Returns what is open then, and what opened, changed or ended. `steps` are minutes between a series' points.
    """
    going = {run.id: run for run in runs}
    told: dict[str, Anomaly] = {}

    def end_quiet(minute: int) -> None:
        for run in [run for run in going.values() if minute - run.last > resolve * run.step]:
            told[run.id] = _anomaly(going.pop(run.id), keys, ended=True)

    for point in points:
        end_quiet(point.minute)
        run = _host(going.values(), point, keys)
        if run is not None:
            going[run.id] = _grown(run, point)
        elif point.score >= 1.0:
            run = _opened(point, steps[point.key])
            going[run.id] = run
        else:
            continue
        told[run.id] = _anomaly(going[run.id], keys, ended=False)
    end_quiet(end)
    return tuple(going.values()), list(told.values())


def _host(runs: Iterable[Run], point: JudgedPoint, keys: Mapping[str, Key]) -> Run | None:
    """The anomaly that a point is part of: that of its series, or a young one of the same name."""
    own = next((run for run in runs if point.key in run.worst), None)
    if own is not None or point.score < 1.0:
        return own
    name = keys[point.key].name
    return next(
        (run for run in runs if keys[run.lead.key].name == name and point.minute - run.started <= _JOIN_MINUTES),
        None,
    )


def _opened(point: JudgedPoint, step: int) -> Run:
    name = f"{point.minute}|{SAMPLE}{point.key}"
    return Run(
        id=hashlib.sha256(name.encode()).hexdigest()[:16],
        started=point.minute,
        opened=point.minute + 1,
        last=point.minute,
        step=step,
        worst={point.key: point},
    )


def _grown(run: Run, point: JudgedPoint) -> Run:
    before = run.worst.get(point.key)
    worse = before is None or (point.score, _off(point)) > (before.score, _off(before))
    return replace(run, last=max(run.last, point.minute), worst={**run.worst, point.key: point} if worse else run.worst)


def _off(point: JudgedPoint) -> float:
    return abs(point.value - point.expected)


def _anomaly(run: Run, keys: Mapping[str, Key], *, ended: bool) -> Anomaly:
    lead = run.lead
    ordered = [lead, *sorted((one for one in run.worst.values() if one is not lead), key=lambda one: -one.score)]
    total = sum(one.score for one in ordered) or 1.0
    started, last = at_minute(run.started), at_minute(run.last)
    selector = keys[lead.key].selector
    return Anomaly(
        id=run.id,
        started_at=started,
        last_at=last,
        ended_at=at_minute(run.last + run.step) if ended else None,
        selector=selector,
        metric=SAMPLE + lead.key,
        direction=Direction.HIGH if lead.value > lead.expected else Direction.LOW,
        score=lead.score,
        severity=severity_of(lead.score),
        observed=lead.value,
        expected=lead.expected,
        lower=lead.lower,
        upper=lead.upper,
        contributions=tuple(
            Contribution(
                selector=keys[one.key].selector,
                metric=SAMPLE + one.key,
                observed=one.value,
                expected=one.expected,
                lower=one.lower,
                upper=one.upper,
                share=one.score / total,
            )
            for one in ordered
        ),
        explanation=_explanation(lead, ordered[1:], started, last if ended else None),
        model_version="",
        baseline_version="",
        opened_at=at_minute(run.opened),
        causes=(Cause(selector=selector, observed=lead.value, expected=lead.expected, share=1.0, surprise=lead.score),),
    )


def _explanation(lead: JudgedPoint, others: Sequence[JudgedPoint], started: datetime, last: datetime | None) -> str:
    verb = "rose" if lead.value > lead.expected else "fell"
    usual = f"expected {number(lead.expected)}, {number(lead.lower)} to {number(lead.upper)}"
    together = "" if not lead.lower <= lead.value <= lead.upper else ", unusual only together with the points before it"
    said = f"{lead.key} {verb} to {number(lead.value)} ({usual}{together}) "
    said += (
        f"since {clock_time(started)} UTC" if last is None else f"from {clock_time(started)} to {clock_time(last, started)} UTC"
    )
    if others:
        names = ", ".join(one.key for one in others[:_MOST_NAMED])
        more = len(others) - _MOST_NAMED
        said += f"; with it {names}" + (f" and {more} more" if more > 0 else "")
    return said + "."


def at_minute(minute: int) -> datetime:
    """A minute since 1970 as a time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


def _finite(point: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: it comes back as None."""
    return {name: float("nan") if value is None else value for name, value in point.items()}
