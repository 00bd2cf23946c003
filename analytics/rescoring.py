"""Late data: what was told of minutes that more calls came to is judged again, and the verdict amended or withdrawn.

Only anomalies that have ended are asked about, and only where calls of their selection came after their minutes were judged.
The judgement is that of the detector, with the baselines in force now; an anomaly keeps its id, its times and its causes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.detect import Verdicts, severity_of
from analytics.detector import Detector, verdicts_of
from analytics.features import Floats
from analytics.reading import read_minutes
from analytics.reporting import JobReport, run_job
from analytics.run_state import RunSettings
from analytics.silence import Silence
from analytics.sustained import LEAD
from analytics.trained import Trained
from core.clock import Clock
from core.config import Settings
from core.series import is_sample
from core.types import Anomaly, AnomalyVerdict
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.late_calls import count_late

JOB = "rescoring"

_MINUTE = timedelta(minutes=1)
_RECENT = timedelta(days=1)
"""Anomalies that are older are left as they were told."""
_MOST_LASTED = timedelta(hours=6)
_WITHDRAWN, _AMENDED = " Withdrawn:", " Amended with"
_ALIKE = 0.1
"""A score that changes by a smaller part says the same."""


def run_rescoring(store: Store, clock: Clock, settings: Settings, epoch: int, detector: Detector | None = None) -> JobReport:
    """Look at the ended anomalies of the last day to which calls came since the last run; `items` counts changed verdicts."""
    detector = detector or Detector()

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        late = _touched(store, cursor or now - _RECENT, now, settings.detection.max_delay)
        trained = detector.trained(store, settings) if late else None
        changed = [] if trained is None else [_judged_again(store, trained, settings, *one) for one in late]
        told = [one for one in changed if one.verdict is not AnomalyVerdict.STANDS]
        write_anomalies(store, told, epoch)
        return JobReport(name=JOB, cursor=now, items=len(told))

    return run_job(JOB, store, clock, epoch, body)


def _touched(store: Store, since: datetime, now: datetime, wait: timedelta) -> list[tuple[Anomaly, int]]:
    """Ended anomalies with how many calls came late to them."""
    found = []
    for one in read_anomalies(store, now - _RECENT, now):
        if one.ended_at is not None and not is_sample(one.metric) and one.last_at - one.started_at <= _MOST_LASTED:
            calls = count_late(store, one.started_at, one.last_at + _MINUTE, one.selector, wait, since, now)
            found += [(one, calls)] if calls else []
    return found


def _judged_again(store: Store, trained: Trained, settings: Settings, anomaly: Anomaly, late: int) -> Anomaly:
    first, end = anomaly.started_at - LEAD * _MINUTE, anomaly.last_at + _MINUTE
    panel = read_minutes(store, first, end, transactions=settings.definitions)
    rows = len(trained.baselines.selectors)
    alive = Silence(missed=np.zeros(rows), minutes=np.zeros(rows, dtype=np.int64))
    verdicts, _ = verdicts_of(trained, panel, settings.detection, alive, LEAD)
    return rescored(anomaly, verdicts, late, RunSettings.of(settings.detection))


def rescored(anomaly: Anomaly, verdicts: Verdicts, late: int, settings: RunSettings) -> Anomaly:
    """The anomaly as its minutes look with the `late` calls: as it was, amended, or withdrawn.

    `verdicts` are of its minutes. It is withdrawn where these would open none any more.
    """
    members = {anomaly.selector, *(part.selector for part in anomaly.contributions)}
    rows = [row for row, selector in enumerate(verdicts.selectors) if selector in members]
    if not rows:
        return anomaly
    score = float(verdicts.score[rows].max())
    calls = f"{late} late call{'s' if late > 1 else ''}"
    before = _first_told(anomaly.explanation)
    if not _opens(verdicts.score[rows], verdicts.sure[rows], settings):
        said = f"{before}{_WITHDRAWN} with {calls} it would not have been told."
        return replace(anomaly, verdict=AnomalyVerdict.WITHDRAWN, score=score, severity=severity_of(score), explanation=said)
    if abs(score - anomaly.score) <= _ALIKE * anomaly.score:
        return anomaly
    said = f"{before}{_AMENDED} {calls}: score {score:.2f} instead of {anomaly.score:.2f}."
    worst = _worst(anomaly, verdicts, rows)
    return replace(
        anomaly,
        verdict=AnomalyVerdict.AMENDED,
        score=score,
        severity=severity_of(score),
        observed=worst if worst is not None else anomaly.observed,
        explanation=said,
    )


def _opens(scores: Floats, sure: npt.NDArray[np.bool_], settings: RunSettings) -> bool:
    """Whether any of these series, of shape (n_series, n_minutes), would open an anomaly in any of the minutes."""
    return any(
        settings.confirms(row[at], certain[at], row[max(at + 1 - settings.window, 0) : at + 1])
        for row, certain in zip(scores.tolist(), sure.tolist(), strict=True)
        for at in range(len(row))
    )


def _first_told(explanation: str) -> str:
    """Without what an earlier look at late calls added."""
    return explanation.split(_WITHDRAWN)[0].split(_AMENDED)[0]


def _worst(anomaly: Anomaly, verdicts: Verdicts, rows: Sequence[int]) -> float | None:
    """The leading series in its worst minute; None where it is not judged any more."""
    lead = [row for row in rows if verdicts.selectors[row] == anomaly.selector]
    if not lead or anomaly.metric not in verdicts.metrics:
        return None
    minute = int(np.argmax(verdicts.strengths[verdicts.metrics.index(anomaly.metric), lead[0]]))
    return float(verdicts.values[anomaly.metric][lead[0], minute])
