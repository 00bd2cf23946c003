"""The questions that pages ask of the store, answered as frames; each is shared for a few seconds between all who ask.

Reading stops at the last minute that is known whole: the minute in progress would look like a drop.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from core.capacity import Fit, LimitOutlook, ServingCost
from core.changes import Change
from core.clock import floor_to
from core.config import ObjectiveSettings
from core.masks import Mask
from core.series import METRICS, Selector
from core.transactions import TRANSACTION_METRICS
from core.types import (
    Anomaly,
    BaselineVersion,
    ForecastBacktest,
    ForecastRun,
    Incident,
    JobState,
    Notification,
    SeriesRequest,
    Silence,
)
from core.windows import CallWindow
from dashboards.catalogue import CHARTS
from dashboards.context import Web
from dashboards.expected import expected_range
from dashboards.selection import FILTERS
from dashboards.window import Window, complete_until, iso
from storage import (
    anomalies,
    backtests,
    baselines,
    capacity,
    changes,
    dead_letters,
    forecasts,
    frozen,
    hours,
    incidents,
    jobs,
    masks,
    notifications,
    prices,
    series,
    silences,
    watermarks,
)
from storage.breakdowns import busiest_values
from storage.data_span import has_calls_of
from storage.lines import read_lines

FRESH_S = 5.0
SLOW_S = 60.0
LONG_STEPS_S = 300.0
MAX_OPTIONS = 200
TOGETHER = frozenset(metric for chart in CHARTS for metric in chart.metrics)
"""The metrics of the overview: one question brings them all, and costs little more than one of them."""
GENERATED = "generated"
"""Origin of simulated history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How new the data are.

    Attributes
    ----------
    newest : datetime or None
        Start of the newest minute with calls; None: there has been no call.
    complete_until : datetime or None
        Everything before it is known whole.
    """

    newest: datetime | None
    complete_until: datetime | None
    first: datetime | None


def freshness(web: Web) -> Freshness:
    """How new the data are, at most 5 s old itself."""

    def ask() -> Freshness:
        span = series.data_span(web.store)
        newest = span[1] if span else None
        until = complete_until(web.now(), newest, web.settings.detection.delay)
        measured = watermarks.measured_until(web.store, web.now())
        if until is not None and measured is not None:  # a partition that lags holds minutes back, as long as detection waits
            until = min(until, max(measured, web.now() - web.settings.detection.max_delay))
            until = floor_to(until, timedelta(minutes=1))
        return Freshness(newest=newest, complete_until=until, first=span[0] if span else None)

    return web.cache.get("freshness", FRESH_S, ask)


def metric_frame(
    web: Web, metric: str, window: Window, selector: Selector, until: datetime | None, *, alone: bool = False
) -> pd.DataFrame:
    """`ts`, `value` of whole steps before `until`; the steps that are not known whole are not there."""
    return metric_frames(web, (metric,), window, selector, until, alone=alone)[metric]


def metric_frames(
    web: Web, metrics: tuple[str, ...], window: Window, selector: Selector, until: datetime | None, *, alone: bool = False
) -> dict[str, pd.DataFrame]:
    """The same for several metrics, read at once; of the overview's any is read with all the others, unless `alone`."""
    end = window.whole_until(until)
    if end <= window.start:
        nothing = pd.DataFrame({"ts": pd.to_datetime([], utc=True), "value": pd.Series([], dtype=float)})
        return dict.fromkeys(metrics, nothing)

    together = frozenset(metrics) if alone else _together(metrics, selector)

    def ask() -> pd.DataFrame:
        return read_lines(web.store, window.start, end, window.step_s, sorted(together), selector=selector)

    key = ("lines", together, window.start, end, window.step_s, selector)
    lines = web.cache.get(key, keep_s(window), ask)
    first = freshness(web).first
    return {
        name: without_cut_step(lines[["ts", name]].rename(columns={name: "value"}), name, window.step_s, first)
        for name in metrics
    }


def _together(metrics: tuple[str, ...], selector: Selector) -> frozenset[str]:
    """What is read with the metrics: the overview's as far as the selection has them, or nothing else."""
    shared = TOGETHER.intersection(TRANSACTION_METRICS) if selector.transaction else TOGETHER
    return shared if shared.issuperset(metrics) else frozenset(metrics)


def known_until(web: Web, window: Window) -> datetime:
    """The end of the window's last step that is known whole."""
    return window.whole_until(freshness(web).complete_until)


def keep_s(window: Window) -> float:
    """How long a window's whole steps may be shared: only late calls change them, and by little where steps are long."""
    return max(FRESH_S, min(window.step_s / 10, LONG_STEPS_S))


def without_cut_step(frame: pd.DataFrame, metric: str, step_s: int, first: datetime | None) -> pd.DataFrame:
    """The frame with NaN for a rate in the step in which the data begin: a part of a step would look like a rise from a low.

    `frame` has `ts` and `value` of one series. Where the step before is known, older hours are, and nothing is cut.
    """
    if first is None or not METRICS[metric].zero_when_idle or frame.empty:
        return frame
    cut = (frame["ts"] < first) & (frame["ts"] + pd.Timedelta(seconds=step_s) > first) & frame["value"].shift().isna()
    return frame.assign(value=frame["value"].mask(cut))


def recent_minutes(web: Web, metric: str, selector: Selector, until: datetime, minutes: int = 15) -> pd.DataFrame:
    """`ts`, `value` of the last whole minutes before `until`."""
    start = until - timedelta(minutes=minutes)
    return metric_frame(web, metric, Window(start=start, end=until, step_s=60), selector, until)


def expected_frame(web: Web, metric: str, selector: Selector, starts: pd.Series, step_s: int) -> pd.DataFrame | None:
    """`ts`, `lower`, `expected`, `upper` at `starts`; None where there is no baseline of this series."""
    version = latest_baseline(web)
    if version is None or starts.empty:
        return None

    def ask() -> pd.DataFrame:
        return baselines.read_baseline(web.store, version.version, metrics=(metric,), selectors=(selector,))

    table = web.cache.get(("baseline", version.version, metric, selector), SLOW_S, ask)
    return None if table.empty else expected_range(table, starts, step_s, web.calendars.of(selector))


def latest_baseline(web: Web) -> BaselineVersion | None:
    """The baseline that is in force; None while the service is still learning."""
    return web.cache.get("baseline", 30.0, lambda: baselines.latest_baseline(web.store))


def frozen_names(web: Web) -> list[str]:
    """Names of the baselines that were kept."""
    return web.cache.get("frozen names", SLOW_S, lambda: [str(name) for name in frozen.list_frozen(web.store)["name"]])


def frozen_baseline(web: Web, name: str) -> CallWindow | None:
    """The baseline that was kept under a name; None where there is none."""
    return web.cache.get(("frozen", name), SLOW_S, lambda: frozen.read_frozen(web.store, name))


def anomalies_in(web: Web, start: datetime, end: datetime) -> list[Anomaly]:
    """Anomalies that touch the span, newest first, whatever their selection."""
    key = ("anomalies", iso(start), iso(end))
    return web.cache.get(key, FRESH_S, lambda: anomalies.read_anomalies(web.store, start, end))


def changes_in(web: Web, start: datetime, end: datetime) -> list[Change]:
    """Changes in the span, newest first, whatever their selection."""
    key = ("changes", iso(start), iso(end))
    return web.cache.get(key, FRESH_S, lambda: changes.read_changes(web.store, start, end))


def firing_incidents(web: Web) -> list[Incident]:
    """Incidents that fire now, newest first."""
    return web.cache.get("firing", FRESH_S, lambda: incidents.read_incidents(web.store, firing_only=True))


def recent_incidents(web: Web, limit: int = 100) -> list[Incident]:
    """The newest incidents, whatever their state."""
    return web.cache.get(("incidents", limit), FRESH_S, lambda: incidents.read_incidents(web.store, limit=limit))


def incident_by_id(web: Web, incident_id: str) -> Incident | None:
    """The latest state of one incident, however old."""
    known = next((one for one in recent_incidents(web) if one.id == incident_id), None)
    if known is not None:
        return known
    history = incident_states(web, incident_id)
    return max(history, key=lambda one: one.updated_at) if history else None


def incident_states(web: Web, incident_id: str) -> list[Incident]:
    """Every state of one incident, oldest first."""
    key = ("incident", incident_id)
    return web.cache.get(key, FRESH_S, lambda: incidents.incident_history(web.store, incident_id))


def anomaly_of(web: Web, incident: Incident) -> Anomaly | None:
    """The anomaly behind an incident; None for other kinds, or when it is gone."""
    if not incident.anomaly_id:
        return None
    start = incident.started_at - timedelta(days=1)
    end = max(incident.updated_at, incident.resolved_at or incident.updated_at) + timedelta(hours=1)
    return next((one for one in anomalies_in(web, start, end) if one.id == incident.anomaly_id), None)


def incidents_in(web: Web, start: datetime, end: datetime) -> list[Incident]:
    """Incidents that lasted at some time of the span, newest first."""
    key = ("incidents in", iso(start), iso(end))
    return web.cache.get(key, FRESH_S, lambda: incidents.read_incidents(web.store, start, end))


def masks_in(web: Web, start: datetime, end: datetime) -> list[Mask]:
    """What people said of spans that touch this one."""
    key = ("masks", iso(start), iso(end))
    return web.cache.get(key, FRESH_S, lambda: masks.read_masks(web.store, start, end))


def silences_in(web: Web, start: datetime, end: datetime) -> list[Silence]:
    """Silences that held at some time of the span."""
    found = web.cache.get(("silences", iso(start)), FRESH_S, lambda: silences.read_silences(web.store, start))
    return [one for one in found if one.starts_at < end and one.starts_at < one.ends_at]


def notifications_of(web: Web, incident_id: str) -> list[Notification]:
    """Messages about an incident, as the store returns them: newest first."""
    key = ("notifications", incident_id)
    return web.cache.get(key, FRESH_S, lambda: notifications.read_notifications(web.store, incident_id=incident_id))


def forecast_runs(web: Web) -> list[ForecastRun]:
    """The latest forecast of each series."""
    return web.cache.get("forecasts", 30.0, lambda: forecasts.latest_forecasts(web.store))


def forecast_backtests(web: Web) -> list[ForecastBacktest]:
    """The latest back-test of each series and horizon."""
    return web.cache.get("forecast_backtests", 30.0, lambda: backtests.latest_backtests(web.store))


def backtests_of(web: Web, run: ForecastRun) -> tuple[ForecastBacktest, ...]:
    """The latest back-tests of a forecast's series, by horizon."""
    return tuple(one for one in forecast_backtests(web) if (one.metric, one.selector) == (run.metric, run.selector))


def forecast_of(web: Web, metric: str, selector: Selector) -> tuple[ForecastRun, pd.DataFrame] | None:
    """The latest forecast of one series with its frame."""
    key = ("forecast", metric, selector)
    return web.cache.get(key, 30.0, lambda: forecasts.read_forecast(web.store, metric, selector))


def limits_outlook(web: Web) -> list[LimitOutlook]:
    """How far each limit is away, by name."""
    return web.cache.get("limits", 30.0, lambda: capacity.read_limits(web.store))


def serving_cost(web: Web, selector: Selector) -> ServingCost | None:
    """What it costs to serve the forecast of a selection; None where that was not computed."""
    found = web.cache.get("serving costs", 30.0, lambda: capacity.read_costs(web.store))
    return next((one for one in found if one.selector == selector), None)


def ceilings(web: Web) -> list[Fit]:
    """The ceilings that were measured last, by selection."""
    return web.cache.get("fits", 30.0, lambda: capacity.read_fits(web.store))


def unpriced_models(web: Web, until: datetime) -> dict[tuple[str, str], int]:
    """Calls of the day before `until` that have tokens but neither a cost nor a price, by provider and model."""
    start = until - timedelta(days=1)
    return web.cache.get(("unpriced", until), SLOW_S, lambda: prices.unpriced_models(web.store, start, until))


def hourly_history(web: Web, metric: str, selector: Selector, start: datetime, end: datetime) -> pd.DataFrame:
    """`ts`, `value` by hour; from the minute rollups where the hours have not been made yet."""

    def ask() -> pd.DataFrame:
        frame = hours.read_hours(web.store, metric, start, end, selector)
        if frame.empty or frame["value"].isna().all():
            request = SeriesRequest(metric=metric, start=start, end=end, step_s=3600, selector=selector)
            frame = series.read_series(web.store, request)
        return without_cut_step(frame, metric, 3600, freshness(web).first)[["ts", "value"]]

    return web.cache.get(("hours", metric, selector, start, end), SLOW_S, ask)


def choices(web: Web, until: datetime | None) -> dict[str, list[str]]:
    """Values of each filter dimension, busiest first, over the week before `until`."""
    end = (until or web.now()) + timedelta(minutes=1)

    def ask() -> dict[str, list[str]]:
        start = floor_to(end - timedelta(days=7), timedelta(hours=1))
        return {name: busiest_values(web.store, name, start, end, MAX_OPTIONS) for name in FILTERS}

    return web.cache.get("choices", LONG_STEPS_S, ask)


def letters(web: Web) -> dict[str, int]:
    """Number of dead letters by reason."""

    def ask() -> dict[str, int]:
        frame = dead_letters.count_dead_letters(web.store)
        return {str(reason): int(count) for reason, count in zip(frame["reason"], frame["letters"], strict=True)}

    return web.cache.get("letters", 10.0, ask)


def job_states(web: Web) -> list[JobState]:
    """The last state of every job."""
    return web.cache.get("jobs", FRESH_S, lambda: jobs.read_jobs(web.store))


def has_generated(web: Web, start: datetime, end: datetime) -> bool:
    """Whether the span, widened to whole hours, holds simulated history."""
    from_hour = floor_to(start, timedelta(hours=1))
    to_hour = floor_to(end, timedelta(hours=1)) + timedelta(hours=1)

    def ask() -> bool:
        return hours.has_hours_of(web.store, GENERATED, from_hour, to_hour) or has_calls_of(
            web.store, GENERATED, from_hour, to_hour
        )

    return web.cache.get(("generated", from_hour, to_hour), SLOW_S, ask)


def objectives_for(web: Web, metrics: tuple[str, ...], selector: Selector) -> list[ObjectiveSettings]:
    """Objectives of these metrics and exactly this selection."""
    return [o for o in web.settings.objectives if o.metric in metrics and Selector.of(o.selector) == selector]
