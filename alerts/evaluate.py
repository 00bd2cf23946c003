"""Rules over what is known: which series breach now, which are clear, and which nothing is known about. Pure.

Unknown is a verdict of its own: a window without data, with an unknown value or with too few calls neither breaches nor clears,
so it opens nothing, ends nothing, and counts neither for `hold` nor for `recover_after`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from alerts.judgement import Clear, Firing, Judgement
from alerts.windows import MINUTE, minute_index
from alerts.wording import anomaly_side, anomaly_summary, anomaly_title, threshold_summary, threshold_title
from core.config import AbsenceRule, AnomalyRule, BudgetRule, ForecastRule, ObjectiveRule, ThresholdRule
from core.series import METRICS, TRANSACTION, VERSION, Selector, metric_of
from core.types import Anomaly, AnomalyVerdict, RankedCause

LATE_TELLING = timedelta(minutes=15)
"""An anomaly that began and ended while nobody judged it is still told when its end is at most this old."""

MOST_CAUSES = 5
_UNKNOWN, _CLEAR, _BREACH = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """A threshold rule's verdict on every series and window.

    Attributes
    ----------
    selectors, fingerprints : tuple
        One per series.
    first : int
        `minute_index` of the end of the first column's window; columns are one minute apart.
    verdict, value, calls : ndarray of shape (n_series, n_minutes)
        Minutes that no window ends at are unknown.
    """

    rule: ThresholdRule
    selectors: tuple[Selector, ...]
    fingerprints: tuple[str, ...]
    first: int
    verdict: npt.NDArray[np.int8]
    value: npt.NDArray[np.float64]
    calls: npt.NDArray[np.int64]


def fingerprint_of(
    rule: ThresholdRule | ObjectiveRule | AbsenceRule | ForecastRule | BudgetRule, labels: Mapping[str, str]
) -> str:
    """Of the group that `labels` name by the rule's dimensions; those that the rule fixes need not be among them.

    A forecast is told by its limit, a step of a budget also by its period, and an objective that the rule does not name by its
    name. What is about a transaction is told by its name and version.
    """
    if isinstance(rule, ForecastRule):
        return f'{rule.name}{{limit="{labels.get("limit", "")}"}}'
    group = _group_of(rule, labels)
    if isinstance(rule, ObjectiveRule) and not rule.objective:
        return f'{rule.name}{{{group}}}{{objective="{labels.get("objective", "")}"}}'
    if isinstance(rule, BudgetRule):
        return f'{rule.name}{{{group}}}{{period="{labels.get("period", "")}",step="{labels.get("step", "")}"}}'
    return f"{rule.name}{{{group}}}"


def _group_of(rule: ThresholdRule | ObjectiveRule | AbsenceRule | BudgetRule, labels: Mapping[str, str]) -> Selector:
    if not isinstance(rule, BudgetRule) and (rule.transaction or TRANSACTION in rule.by or isinstance(rule, ObjectiveRule)):
        named = {name: labels[name] for name in (TRANSACTION, VERSION) if name in labels}
        if len(named) == 2:
            return Selector.of(named)
    return Selector.of({name: labels.get(name, "") for name in rule.by} | rule.selector)


def anomaly_fingerprint(rule: AnomalyRule, anomaly_id: str) -> str:
    return f'{rule.name}{{anomaly="{anomaly_id}"}}'


def judge_windows(rule: ThresholdRule, frame: pd.DataFrame) -> Verdicts:
    """Verdicts on sliding windows of the rule's metric and groups.

    Parameters
    ----------
    frame : DataFrame
        As `storage.windows.read_windows` gives it: `end` (a window's end, aware), the rule's `by` columns, `value` (NaN:
        unknown) and `calls`. Minutes that it lacks are unknown; an empty frame has no series.
    """
    ends = _minutes(frame["end"])
    first, columns = (int(ends.min()), int(ends.max() - ends.min()) + 1) if len(frame) else (0, 0)
    rows, groups = _groups(frame, rule)
    value = np.full((len(groups), columns), np.nan)
    calls = np.zeros((len(groups), columns), dtype=np.int64)
    value[rows, ends - first] = frame["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    calls[rows, ends - first] = frame["calls"].fillna(0).to_numpy(dtype=np.int64)
    return Verdicts(
        rule=rule,
        selectors=tuple(groups),
        fingerprints=tuple(fingerprint_of(rule, group.labels) for group in groups),
        first=first,
        verdict=_verdicts(rule, value, calls),
        value=value,
        calls=calls,
    )


def judge_threshold(verdicts: Verdicts, at: datetime, open_fingerprints: Collection[str], zone: ZoneInfo) -> Judgement:
    """What the rule says of the windows that end at `at`; clear groups are named only where an incident is open."""
    column = minute_index(at) - verdicts.first
    if not 0 <= column < verdicts.verdict.shape[1]:
        return Judgement()
    now = verdicts.verdict[:, column]
    firings = [_firing(verdicts, int(row), column, zone) for row in np.flatnonzero(now == _BREACH)]
    clears = [
        _clear(verdicts, int(row), column)
        for row in np.flatnonzero(now == _CLEAR)
        if verdicts.fingerprints[row] in open_fingerprints
    ]
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def is_breached(verdicts: Verdicts) -> bool:
    """Whether any window of any series breaches."""
    return bool((verdicts.verdict == _BREACH).any())


def judge_anomalies(rule: AnomalyRule, anomalies: Iterable[Anomaly], now: datetime, zone: ZoneInfo) -> Judgement:
    """What the rule says of stored anomalies: open ones that it asks for fire, ended ones are clear.

    One that ended less than `LATE_TELLING` ago fires as well, so that what began and ended during a downtime is told.
    """
    firings, clears = [], []
    for anomaly in anomalies:
        fingerprint = anomaly_fingerprint(rule, anomaly.id)
        latest = anomaly.ended_at or anomaly.last_at + MINUTE
        if anomaly.ended_at is not None or anomaly.muted:  # muted: somebody said that it is expected, so what it opened ends
            clears.append(Clear(fingerprint=fingerprint, since=latest, recovered=True))
        if anomaly.muted or not _asked_for(rule, anomaly):
            continue
        if latest > now - LATE_TELLING:
            firings.append(_anomaly_firing(rule, anomaly, fingerprint, zone))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def _groups(frame: pd.DataFrame, rule: ThresholdRule) -> tuple[npt.NDArray[np.intp], list[Selector]]:
    """Of each row, the number of its group; and the groups."""
    if not rule.by:
        return np.zeros(len(frame), dtype=np.intp), [Selector.of(rule.selector)]
    index = pd.MultiIndex.from_frame(frame[list(rule.by)].astype(str))
    codes, unique = pd.factorize(index)
    return codes, [Selector.of(dict(zip(rule.by, values, strict=True)) | rule.selector) for values in unique]


def _verdicts(rule: ThresholdRule, value: npt.NDArray[np.float64], calls: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    known = np.isfinite(value) & (calls >= _min_calls(rule))
    if rule.above is not None:
        breach, clear = value > rule.above, value <= (rule.above if rule.recover is None else rule.recover)
    else:
        limit = rule.below or 0.0
        breach, clear = value < limit, value >= (limit if rule.recover is None else rule.recover)
    verdict = np.where(known, np.where(breach, _BREACH, np.where(clear, _CLEAR, _UNKNOWN)), _UNKNOWN).astype(np.int8)
    if rule.no_data != "keep":
        verdict[(calls == 0) & ~np.isfinite(value)] = _CLEAR if rule.no_data == "ok" else _BREACH
    return verdict


def _min_calls(rule: ThresholdRule) -> int:
    """Few calls are the very thing that `below` on a rate looks for: there only a number that the user wrote counts."""
    looks_for_few = rule.below is not None and METRICS[rule.metric].zero_when_idle
    return 0 if looks_for_few and "min_calls" not in rule.model_fields_set else rule.min_calls


def _run(verdict: npt.NDArray[np.int8], column: int) -> tuple[int, int]:
    """Length of the run of equal verdicts that ends at `column`, in known windows, and its first column."""
    row = verdict[: column + 1]
    others = np.flatnonzero((row != row[-1]) & (row != _UNKNOWN))
    start = int(others[-1]) + 1 if others.size else 0
    members = np.flatnonzero(row[start:] == row[-1])
    return int(members.size), start + int(members[0])


def _firing(verdicts: Verdicts, row: int, column: int, zone: ZoneInfo) -> Firing:
    length, start = _run(verdicts.verdict[row], column)
    return threshold_firing(
        verdicts.rule,
        verdicts.selectors[row],
        verdicts.fingerprints[row],
        float(verdicts.value[row, column]),
        int(verdicts.calls[row, column]),
        (_moment(verdicts.first + start - 1), _moment(verdicts.first + column)),
        zone,
        held=length * MINUTE >= verdicts.rule.hold,
    )


def threshold_firing(
    rule: ThresholdRule,
    selector: Selector,
    fingerprint: str,
    value: float,
    calls: int,
    span: tuple[datetime, datetime],
    zone: ZoneInfo,
    *,
    held: bool,
) -> Firing:
    """The firing of a group that has breached over `span`; its last window had this value and number of calls."""
    since, at = span
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **selector.labels},
        severity=rule.severity,
        title=threshold_title(rule, selector),
        summary=threshold_summary(rule, value, since, at, calls, zone),
        metric=rule.metric,
        value=value,
        threshold=float(rule.above if rule.above is not None else rule.below or 0.0),
        unit=METRICS[rule.metric].unit,
        since=since,
        until=at,
        held=held,
        scopes=(selector,),
        runbook=rule.runbook,
    )


def _clear(verdicts: Verdicts, row: int, column: int) -> Clear:
    length, start = _run(verdicts.verdict[row], column)
    return Clear(
        fingerprint=verdicts.fingerprints[row],
        since=_moment(verdicts.first + start - 1),
        recovered=length * MINUTE >= verdicts.rule.recover_after,
        value=float(verdicts.value[row, column]),
        until=_moment(verdicts.first + column),
        recover_after=verdicts.rule.recover_after,
    )


def _asked_for(rule: AnomalyRule, anomaly: Anomaly) -> bool:
    return (
        anomaly.verdict is not AnomalyVerdict.WITHDRAWN
        and anomaly.severity >= rule.min_severity
        and rule.direction in ("both", "high" if anomaly_side(anomaly) == "higher" else "low")
        and abs(anomaly.observed - anomaly.expected) >= rule.min_effect * abs(anomaly.expected)
        and (not rule.metrics or anomaly.metric in rule.metrics)
        and rule.transaction in ("", anomaly.selector.transaction)
        and rule.selector.items() <= anomaly.selector.labels.items()
    )


def _anomaly_firing(rule: AnomalyRule, anomaly: Anomaly, fingerprint: str, zone: ZoneInfo) -> Firing:
    selectors = dict.fromkeys([anomaly.selector, *(part.selector for part in anomaly.contributions)])
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **anomaly.selector.labels},
        severity=rule.severity,
        title=anomaly_title(anomaly),
        summary=anomaly_summary(anomaly, zone),
        metric=anomaly.metric,
        value=anomaly.observed,
        threshold=anomaly.lower if anomaly_side(anomaly) == "lower" else anomaly.upper,
        unit=metric_of(anomaly.metric).unit,
        since=anomaly.started_at,
        until=anomaly.ended_at or anomaly.last_at + MINUTE,
        held=True,
        scopes=tuple(selectors),
        anomaly_id=anomaly.id,
        runbook=rule.runbook,
        causes=_causes(anomaly),
        lower=anomaly.lower,
        upper=anomaly.upper,
    )


def _causes(anomaly: Anomaly) -> tuple[RankedCause, ...]:
    ranked = sorted(anomaly.contributions, key=lambda part: -part.share)[:MOST_CAUSES]
    words = ((part, metric_of(part.metric).title) for part in ranked)
    return tuple(RankedCause(text=f"{title} of {part.selector.words}", share=part.share) for part, title in words)


def _minutes(times: pd.Series) -> npt.NDArray[np.int64]:
    """`minute_index` of aware times, whatever their resolution."""
    minutes: npt.NDArray[np.int64] = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[m]").astype(np.int64)
    return minutes


def _moment(minute: int) -> datetime:
    return pd.Timestamp(minute, unit="m", tz="UTC").to_pydatetime()
