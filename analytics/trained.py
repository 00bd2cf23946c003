"""Baselines and forest of one version: built from stored minutes, kept in the store, loaded again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.baseline import Baselines, deviations, from_frame, to_frame
from analytics.detect import training_rows
from analytics.drifting import told_by_minute
from analytics.exceptions import exceptions_of_anomalies, exceptions_of_masks, leave_out
from analytics.features import DETECTION_METRICS, Floats, Panel, align, stack
from analytics.fit import calibrate, fit_baselines, still_learning
from analytics.forest import Forest, fit_forest, from_arrays, to_arrays
from analytics.reading import read_parts
from analytics.silence import usual_gaps, widen_by_gaps
from analytics.summary import HourSummary, join, stack_hours, summarise
from analytics.sustained import Edges, learn_edges
from analytics.triggers import triggers_of
from core.calendars import Calendars, load_calendars
from core.clock import floor_to, runs_of
from core.config import DetectionSettings, Settings
from core.masks import Mask
from core.transactions import Transaction
from core.types import Anomaly, AnomalyVerdict, BaselineVersion, Learning
from storage.anomalies import read_anomalies
from storage.baselines import latest_baseline, read_slots, write_baselines
from storage.contract import Store
from storage.masks import read_masks
from storage.models import StoredModel, latest_model, latest_version, write_model
from storage.series import data_span

FOREST, EDGES = "forest", "edges"

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_RECENT_DAYS = 3
"""Days before the end whose minutes calibrate the tails and train the forest."""
_TRAINING_ROWS = 60_000
_LEAST_CALM = 0.25
_UNNOTICED = timedelta(minutes=10)
"""What is told has often begun some minutes earlier."""
_LEAST_CALLS_PER_HOUR = 1.0
"""Of the minutes of rarer selections nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What minutes are judged by."""

    version: BaselineVersion
    baselines: Baselines
    forest: Forest
    edges: Edges | None = None


class Trainer:
    """Builds baselines and forest from stored minutes, of which hours are kept: memory does not grow with the history.

    What was summarised is kept: a build of a later end that is whole days away reads only the new days.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._summaries: dict[datetime, HourSummary] = {}
        self._panels: dict[datetime, Panel] = {}
        self.learning: tuple[Learning, ...] = ()
        """Selections that the last build found too young."""

    def build(self, end: datetime, built_at: datetime) -> Trained | None:
        """Train on the configured history before `end` (cut to the full hour); None where no series is old enough yet."""
        detection = self._settings.detection
        end = floor_to(end, _HOUR)
        self.learning = ()
        start = self._first_hour(end)
        if start is None:
            return None
        days = self._days(start, end)
        self._forget(set(days))
        self._read(days, start)
        summary = _busiest(join([self._summaries[day] for day in days]), detection.max_series)
        self.learning = still_learning(summary, detection.min_history)
        baselines = fit_baselines(
            self._without_exceptions(summary, start, end),
            self._settings.time_zone,
            min_history=detection.min_history,
            min_calls=detection.min_calls_per_minute,
            calendars=load_calendars(self._settings),
        )
        if not baselines.selectors:
            return None
        return self._finish(baselines, days[-_RECENT_DAYS:], start, end, built_at)

    def _first_hour(self, end: datetime) -> datetime | None:
        span = data_span(self._store)
        if span is None or span[0] >= end:
            return None
        first = floor_to(span[0], _HOUR)
        wanted = end - self._settings.detection.history
        return first if first > wanted else wanted

    def _days(self, start: datetime, end: datetime) -> list[datetime]:
        """Starts of the spans of a day that end with `end`; the first may be cut by `start`."""
        count = -((start - end) // _DAY)
        return [end - _DAY * back for back in range(count, 0, -1)]

    def _read(self, days: list[datetime], start: datetime) -> None:
        """Summarise the days that are new, all that follow one another in one pass over the rollups."""
        recent = days[-_RECENT_DAYS:]
        for begun, last in runs_of([day for day in days if day not in self._summaries], _DAY):
            first = max(begun, start)
            spans = {day: (max(day, start), day + _DAY) for day in days if begun <= day < last}
            hours: dict[datetime, list[HourSummary]] = {day: [] for day in spans}
            minutes: dict[datetime, list[Panel]] = {day: [] for day in spans if day in recent}
            for panel in read_parts(self._store, first, last, _LEAST_CALLS_PER_HOUR, self._settings.definitions):
                summary = summarise(panel, self._settings.detection.min_calls_per_minute)
                for day, (begin, end) in spans.items():
                    hours[day].append(summary.slice((begin - first) // _HOUR, (end - first) // _HOUR))
                    if day in minutes:
                        minutes[day].append(panel.slice((begin - first) // _MINUTE, (end - first) // _MINUTE).copied())
            self._summaries |= {day: stack_hours(parts) for day, parts in hours.items()}
            self._panels |= {day: stack(parts) for day, parts in minutes.items()}
        self._panels = {day: panel for day, panel in self._panels.items() if day in recent}

    def _forget(self, days: set[datetime]) -> None:
        """Days of another grid are dropped first: they would count among the recent ones."""
        self._summaries = {day: kept for day, kept in self._summaries.items() if day in days}
        self._panels = {day: kept for day, kept in self._panels.items() if day in days}

    def _without_exceptions(self, summary: HourSummary, start: datetime, end: datetime) -> HourSummary:
        """The summary without the hours that are no example: what people masked, and incidents that did not come again."""
        masked = exceptions_of_masks(read_masks(self._store, start, end))
        noted = exceptions_of_anomalies(_standing(read_anomalies(self._store, start, end)))
        return leave_out(summary, [*masked, *noted])

    def _finish(
        self, baselines: Baselines, recent: list[datetime], start: datetime, end: datetime, built_at: datetime
    ) -> Trained:
        panel = _side_by_side([align(self._panels[day], baselines.selectors) for day in recent])
        calm = _calm_minutes(panel, _standing(read_anomalies(self._store, panel.start, end)))
        calm = calm & _outside_masks(panel, read_masks(self._store, panel.start, end))
        baselines, forest = refine(baselines, panel, calm, self._settings.detection)
        version = BaselineVersion(
            version=f"{built_at:%Y%m%dT%H%M%S.%f}Z",
            built_at=built_at,
            trained_from=start,
            trained_to=end,
            series=len(baselines.selectors) * len(baselines.metrics),
        )
        edges = learn_edges(baselines, panel, calm, DETECTION_METRICS, triggers_of(self._settings.detection))
        return Trained(version=version, baselines=baselines, forest=forest, edges=edges)


def refine(
    baselines: Baselines, panel: Panel, calm: npt.NDArray[np.bool_], settings: DetectionSettings
) -> tuple[Baselines, Forest]:
    """Fit the tails and the gaps of the baselines to recent minutes, and grow the forest on their deviations.

    `panel` has the rows of the baselines, `calm` says which of its minutes had no known anomaly.
    """

    def scored() -> dict[str, Floats]:
        found = deviations(baselines, panel, settings.min_calls_per_minute)
        return {metric: np.where(calm, deviation, np.nan) for metric, deviation in found.items()}

    baselines = calibrate(baselines, scored())
    gaps = usual_gaps(np.where(calm, panel.calls, np.nan), baselines.at(panel.times()))
    baselines = widen_by_gaps(baselines, gaps)
    rows = training_rows(scored(), DETECTION_METRICS, _TRAINING_ROWS, settings.seed)
    forest = fit_forest(rows, DETECTION_METRICS, trees=settings.trees, quantile=settings.threshold_quantile, seed=settings.seed)
    return baselines, forest


def save(store: Store, trained: Trained, epoch: int) -> None:
    """Write the forest, then the baselines: whoever sees the new baselines finds their forest."""
    meta, arrays = to_arrays(trained.forest)
    version = trained.version
    model = StoredModel(version=version.version, kind=FOREST, built_at=version.built_at, meta=meta, arrays=arrays)
    write_model(store, model, epoch)
    if trained.edges is not None:
        meta, arrays = trained.edges.to_arrays()
        write_model(store, replace(model, kind=EDGES, meta=meta, arrays=arrays), epoch)
    write_baselines(store, to_frame(trained.baselines), version, epoch)


def in_force(trained: Trained, transactions: Sequence[Transaction]) -> Trained:
    """Without the baselines of transactions, or of versions, that are no longer counted: they are not silent, but gone."""
    counted = {one.selection for one in transactions}
    held = trained.baselines
    rows = [row for row, one in enumerate(held.selectors) if not one.transaction or one in counted]
    if len(rows) == len(held.selectors):
        return trained
    kept = replace(
        held,
        selectors=tuple(held.selectors[row] for row in rows),
        center={name: matrix[rows] for name, matrix in held.center.items()},
        scale={name: matrix[rows] for name, matrix in held.scale.items()},
        samples={name: matrix[rows] for name, matrix in held.samples.items()},
    )
    return replace(trained, baselines=kept)


def load(store: Store, calendars: Calendars, unless: str = "") -> Trained | None:
    """The latest version; None where there is none, or where it is `unless`.

    A forest is written before its baselines and has few rows: while it is the known one nothing more is read.
    """
    if unless and latest_version(store, FOREST) == unless:
        return None
    version = latest_baseline(store)
    if version is None or version.version == unless:
        return None
    model = latest_model(store, FOREST)
    if model is None:
        return None
    baselines = from_frame(read_slots(store, version.version), calendars.common.time_zone, calendars)
    held = latest_model(store, EDGES)
    edges = None if held is None else Edges.from_arrays(held.meta, held.arrays)
    return Trained(version=version, baselines=baselines, forest=from_arrays(model.meta, model.arrays), edges=edges)


def _busiest(summary: HourSummary, limit: int) -> HourSummary:
    """The selections with the most calls; all traffic has the most and stays."""
    if len(summary.selectors) <= limit:
        return summary
    rows = np.sort(np.argsort(-summary.calls.sum(1), kind="stable")[:limit])
    return replace(
        summary,
        selectors=tuple(summary.selectors[row] for row in rows),
        calls=summary.calls[rows],
        center={name: matrix[rows] for name, matrix in summary.center.items()},
        spread={name: matrix[rows] for name, matrix in summary.spread.items()},
        minutes={name: matrix[rows] for name, matrix in summary.minutes.items()},
    )


def _standing(anomalies: list[Anomaly]) -> list[Anomaly]:
    """Those that late data did not withdraw; what drifts over days is followed, and no incident to be left out."""
    return [one for one in anomalies if one.verdict is not AnomalyVerdict.WITHDRAWN and told_by_minute(one)]


def _calm_minutes(panel: Panel, anomalies: list[Anomaly]) -> npt.NDArray[np.bool_]:
    """Minutes without any anomaly, known or still unnoticed; all of them where too few would be left to learn from."""
    calm = np.ones(panel.minutes, dtype=np.bool_)
    for anomaly in anomalies:
        first = (anomaly.started_at - _UNNOTICED - panel.start) // _MINUTE
        last = (anomaly.last_at - panel.start) // _MINUTE
        calm[max(first, 0) : max(last + 1, 0)] = False
    return calm if calm.mean() >= _LEAST_CALM else np.ones_like(calm)


def _outside_masks(panel: Panel, masks: list[Mask]) -> npt.NDArray[np.bool_]:
    """Minutes without a mask over all traffic; all of them where too few would be left. Others concern few selections."""
    calm = np.ones(panel.minutes, dtype=np.bool_)
    for mask in masks:
        if not mask.selector.pairs:
            first, last = ((at - panel.start) // _MINUTE for at in (mask.start, min(mask.until, panel.start + 30 * _DAY)))
            calm[max(first, 0) : max(last, 0)] = False
    return calm if calm.mean() >= _LEAST_CALM else np.ones_like(calm)


def _side_by_side(panels: list[Panel]) -> Panel:
    """Panels of consecutive spans with the same rows as one."""
    values = {name: np.concatenate([panel.values[name] for panel in panels], axis=1) for name in panels[0].values}
    calls = np.concatenate([panel.calls for panel in panels], axis=1)
    return Panel(selectors=panels[0].selectors, start=panels[0].start, calls=calls, values=values)
