"""The shells of analytics: read from the store, compute, write back. Each catches up by its own cursor and is safe to repeat.

`tpscope` runs them on a schedule, one of each at a time, in the one process that holds the fencing epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.counting import count_minutes
from analytics.detector import Detector, DetectorState, judge_span
from analytics.diagnosing import diagnosing
from analytics.drifting import told_by_minute
from analytics.earlier import Earlier
from analytics.features import Panel
from analytics.forecast_job import make_forecasts
from analytics.hourly import SCOPES_OF_HOURS, stale_hours
from analytics.look_back import LookBack
from analytics.recurring import told_with_earlier
from analytics.reporting import JobReport, run_job
from analytics.sampling.job import analyze_samples
from analytics.sustained import LEAD
from analytics.trained import Trained, Trainer, save
from core.calendars import load_calendars
from core.clock import Clock, floor_to
from core.config import Settings
from core.masks import labelled
from core.types import Anomaly
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.detector_state import read_state, write_state
from storage.hours import refresh_hours
from storage.learning import write_learning
from storage.masks import read_masks
from storage.series import latest_minute
from storage.watermarks import arrived_until

DETECTOR = "detection"
"""Name under which the state between minutes is kept."""

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_MOST_CATCH_UP = timedelta(hours=6)
"""After a longer downtime the older minutes are not judged: an alarm about this morning helps nobody."""
_FIRST_LOOK = timedelta(minutes=15)
"""What a detector without any state judges first: enough to see which selections are alive."""
_CHUNK = timedelta(hours=6)
_LEAST_REBUILD = timedelta(days=1)
"""How often `analyze` builds baselines anew at most: a day of history more changes little."""


def run_baselines(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Build baselines and the forest from the stored minutes and keep them as a new version.

    Trained up to the newest data, so that imported history has baselines as well. `items` counts series.
    """

    def body(cursor: datetime | None) -> JobReport:
        newest = latest_minute(store)
        if newest is None:
            return JobReport(name="baselines", cursor=cursor, items=0, note="no calls yet")
        trainer = Trainer(store, settings)
        trained = trainer.build(min(newest + _MINUTE, clock.now()), clock.now())
        write_learning(store, trainer.learning, clock.now(), epoch)
        if trained is None:
            least = settings.detection.min_history / timedelta(days=1)
            return JobReport(name="baselines", cursor=cursor, items=0, note=f"learning: {least:g} days of history are needed")
        save(store, trained, epoch)
        note = f"{len(trainer.learning)} selections are still learning" if trainer.learning else ""
        return JobReport(name="baselines", cursor=trained.version.trained_to, items=trained.version.series, note=note)

    return run_job("baselines", store, clock, epoch, body)


def run_detection(store: Store, clock: Clock, settings: Settings, epoch: int, detector: Detector | None = None) -> JobReport:
    """Judge every complete minute since the last run; `items` counts minutes.

    A minute is complete when the calls of all partitions have arrived past its end, or after the longest wait. Minutes without
    any call are judged as well: silence is news. Nothing is judged before the first baselines. With a `detector` that is kept
    between runs these are not loaded each time.
    """
    detector = detector or Detector()

    def body(cursor: datetime | None) -> JobReport:
        end = arrived_until(store, clock.now(), settings.detection.delay, settings.detection.max_delay)
        trained = detector.trained(store, settings)
        if trained is None:
            return JobReport(name="detection", cursor=end, items=0, note="learning: there are no baselines yet")
        state = DetectorState.from_json(read_state(store, DETECTOR))
        if state is None:
            _end_orphans(store, end, epoch)
            state = DetectorState()
        start, note = _start_of_detection(cursor, end)
        for at in _steps(start, end, _CHUNK):
            # What is not counted yet would look silent.
            count_minutes(store, settings, at - LEAD * _MINUTE, min(at + _CHUNK, end), clock.now(), epoch)
            panel = detector.look_back.read(store, at, min(at + _CHUNK, end), settings.definitions)
            state = _judge(store, trained, state, settings, epoch, panel, detector.earlier)
        minutes = max((end - start) // _MINUTE, 0)
        return JobReport(name="detection", cursor=max(start, end), items=minutes, note=note)

    return run_job("detection", store, clock, epoch, body)


def run_hours(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Make the hours that are finished, and those again to which calls came late or by import; `items` counts rows."""

    def body(cursor: datetime | None) -> JobReport:
        end = floor_to(clock.now(), _HOUR)
        written = 0
        for first, last in stale_hours(store, cursor, end):
            written += refresh_hours(store, first, last, SCOPES_OF_HOURS, epoch)
        return JobReport(name="hours", cursor=end, items=written)

    return run_job("hours", store, clock, epoch, body)


def run_forecasts(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Forecast every configured series by the hour; `items` counts series.

    Series with less than a day of history are left out; the note says how many.
    """

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        done, note = make_forecasts(store, settings.forecast, now, epoch, load_calendars(settings), settings.definitions)
        return JobReport(name="forecasts", cursor=floor_to(now, _HOUR), items=done, note=note)

    return run_job("forecasts", store, clock, epoch, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisReport:
    """What an analysis of stored history found.

    Attributes
    ----------
    minutes : int
        Minutes that were judged; `learning` more had no baselines yet.
    builds : int
        How often baselines and forest were built.
    """

    anomalies: tuple[Anomaly, ...]
    minutes: int
    learning: int
    builds: int


def analyze(
    store: Store,
    start: datetime,
    end: datetime,
    settings: Settings,
    epoch: int,
    progress: Callable[[datetime], None] | None = None,
    *,
    keep: bool = True,
) -> AnalysisReport:
    """Judge stored history as if it were live: what is said of a minute depends on earlier minutes alone.

    Baselines are built anew every day of the span (or as configured, if less often) and are not kept; the anomalies are
    written, unless `keep` is false.
    `progress` is told the instant up to which everything is done. Raises ValueError for an empty span.
    """
    start, end = floor_to(start, _MINUTE), floor_to(end, _MINUTE)
    if end <= start:
        raise ValueError(f"nothing to analyze from {start} to {end}; the end must be a minute or more after the start")
    if keep:
        count_minutes(store, settings, start - settings.detection.history, end, end, epoch)
    trainer, look_back, earlier, state = Trainer(store, settings), LookBack(), Earlier(), DetectorState()
    every = max(settings.detection.rebuild_every, _LEAST_REBUILD)
    found: dict[str, Anomaly] = {}
    judged, builds = 0, 0
    for rebuilt_at in _steps(start, end, every):
        trained = trainer.build(rebuilt_at, rebuilt_at)
        until = min(rebuilt_at + every, end)
        if trained is not None:
            builds += 1
            for at in _steps(rebuilt_at, until, _CHUNK):
                panel = look_back.read(store, at, min(at + _CHUNK, until), settings.definitions)
                ask = diagnosing(store, trained, panel, transactions=settings.definitions)
                state, changed = judge_span(trained, panel, state, settings.detection, ask, LEAD)
                found.update({anomaly.id: anomaly for anomaly in changed})
                if keep:  # the next build leaves their minutes out, as it would live
                    write_anomalies(store, _labelled(store, changed, earlier), epoch)
                judged += panel.minutes - LEAD
        if progress is not None:
            progress(until)
    samples = analyze_samples(store, start, end, settings)
    found.update({anomaly.id: anomaly for anomaly in samples})
    if keep:
        write_anomalies(store, _labelled(store, samples, earlier), epoch)
    # Nothing will follow those that are still open: the analysis ends here.
    last = [replace(anomaly, ended_at=end) for anomaly in found.values() if anomaly.ended_at is None]
    if keep:
        write_anomalies(store, _labelled(store, last, earlier), epoch)
    found.update({anomaly.id: anomaly for anomaly in last})
    said = _labelled(store, list(found.values()), earlier)
    anomalies = tuple(sorted(said, key=lambda anomaly: (anomaly.started_at, anomaly.id)))
    learning = (end - start) // _MINUTE - judged
    return AnalysisReport(anomalies=anomalies, minutes=judged, learning=learning, builds=builds)


def _start_of_detection(cursor: datetime | None, end: datetime) -> tuple[datetime, str]:
    """First minute to judge, and what to say of those that are skipped."""
    if cursor is None:
        return end - _FIRST_LOOK, ""
    oldest = end - _MOST_CATCH_UP
    if cursor >= oldest:
        return cursor, ""
    return oldest, f"{(oldest - cursor) // _MINUTE} minutes of downtime before {oldest:%Y-%m-%d %H:%M} UTC were not judged"


def _end_orphans(store: Store, end: datetime, epoch: int) -> None:
    """End the anomalies that no state follows any more; nobody else would."""
    found = read_anomalies(store, end - _MINUTE, end, open_only=True)
    orphans = [one for one in found if told_by_minute(one)]
    write_anomalies(store, [replace(orphan, ended_at=orphan.last_at + _MINUTE) for orphan in orphans], epoch)


def _judge(
    store: Store,
    trained: Trained,
    state: DetectorState,
    settings: Settings,
    epoch: int,
    panel: Panel,
    earlier: Earlier,
) -> DetectorState:
    """Judge one span; the anomalies are written before the state: after a crash in between they are only written again."""
    last = panel.start + (panel.minutes - 1) * _MINUTE
    ask = diagnosing(store, trained, panel, transactions=settings.definitions)
    state, changed = judge_span(trained, panel, state, settings.detection, ask, LEAD)
    write_anomalies(store, _labelled(store, changed, earlier), epoch)
    write_state(store, DETECTOR, last, state.to_json(), epoch)
    return state


def _labelled(store: Store, anomalies: list[Anomaly], earlier: Earlier) -> list[Anomaly]:
    """The anomalies with what people said of their time, and the earlier days that had the like."""
    if not anomalies:
        return []
    first, last = min(one.started_at for one in anomalies), max(one.last_at for one in anomalies)
    told = told_with_earlier(anomalies, earlier.than(store, anomalies))
    return labelled(told, read_masks(store, first, last + _MINUTE))


def _steps(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    count = -((start - end) // step) if end > start else 0
    return [start + step * index for index in range(count)]
