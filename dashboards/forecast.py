"""What the forecast page shows: one stored forecast with the history before it, and what it says in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go

from core.series import ALL_CALLS, METRICS, Selector
from core.types import ForecastBacktest, ForecastRun
from dashboards import queries
from dashboards.capacity import drawn_limits
from dashboards.catalogue import METRIC_WORDS
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.marking import limits_for
from render.figures import forecast_fan
from render.parts import Line, Span
from render.theme import theme_of
from render.units import format_number, format_span, format_time, format_value

HISTORY = timedelta(days=28)
EVERYTHING = "all"
"""What the page's address calls the selection of all calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of the summary."""

    title: str
    value: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastData:
    """The page: what can be chosen, and the chosen forecast or, in words, why there is none."""

    metrics: tuple[str, ...]
    selectors: tuple[Selector, ...]
    metric: str
    selector: Selector
    run: ForecastRun | None
    figure: go.Figure | None
    legend: tuple[Entry, ...]
    summary: tuple[Figure, ...]
    words: str
    generated: bool = False
    backtests: tuple[ForecastBacktest, ...] = ()


def load_forecast(web: Web, query: Mapping[str, str], look: Look) -> ForecastData:
    """Read and draw the forecast that `metric` and `selector` of `query` name; the first there is without them."""
    runs = queries.forecast_runs(web)
    if not runs:
        return _nothing(web)
    metric, selector = _choice(runs, query)
    metrics = tuple(name for name in METRICS if any(run.metric == name for run in runs))
    selectors = tuple(run.selector for run in sorted(runs, key=_order) if run.metric == metric)
    found = queries.forecast_of(web, metric, selector)
    if found is None:
        words = f"There is no forecast of {METRIC_WORDS.get(metric, metric)} for {selector.words}. Choose another selection."
        return ForecastData(
            metrics=metrics,
            selectors=selectors,
            metric=metric,
            selector=selector,
            run=None,
            figure=None,
            legend=(),
            summary=(),
            words=words,
        )
    run, frame = found
    history = _history(web, run, frame)
    figure, legend = _figure(web, run, frame, history, look)
    return ForecastData(
        metrics=metrics,
        selectors=selectors,
        metric=metric,
        selector=selector,
        run=run,
        figure=figure,
        legend=legend,
        summary=tuple(summarise(run, frame, history, web)),
        words="",
        generated=queries.has_generated(web, run.trained_from, run.trained_to),
        backtests=queries.backtests_of(web, run),
    )


def read_choice(text: str | None) -> Selector:
    """The selection that an address names; all calls for none. Raises ValueError for one that cannot be read."""
    return ALL_CALLS if not text or text == EVERYTHING else Selector.parse(text)


def quality_words(error_mase: float) -> str:
    """The back-tested error for people: against repeating what was a week before."""
    if error_mase != error_mase:
        return "not back-tested yet: too little history"
    better = round((1 - error_mase) * 100)
    if better == 0:
        return "as good as repeating last week"
    return f"{abs(better)} % {'better' if better > 0 else 'worse'} than repeating last week"


def summarise(run: ForecastRun, frame: pd.DataFrame, history: pd.DataFrame, web: Web) -> list[Figure]:
    """The numbers that a capacity planner asks for first."""
    unit, zone = run.unit, web.zone
    busiest, worst = frame.iloc[int(frame["q50"].to_numpy().argmax())], frame.iloc[int(frame["q95"].to_numpy().argmax())]
    week = pd.Timedelta(days=7)
    last_week = frame.loc[frame["ts"] > frame["ts"].iloc[-1] - week, "mean"].mean()
    known = history.dropna(subset="value")
    recent = known.loc[known["ts"] > known["ts"].iloc[-1] - week, "value"].mean() if not known.empty else float("nan")
    change = (last_week / recent - 1) * 100 if recent == recent and recent > 0 else float("nan")
    horizon = format_span(frame["ts"].iloc[-1] - frame["ts"].iloc[0] + pd.Timedelta(run.step))
    found = [
        Figure(title="Average, last week", value=format_value(recent, unit), remark="observed"),
        Figure(
            title="Average, forecast's last week",
            value=format_value(last_week, unit),
            remark=f"{change:+.0f} % against now" if change == change else "",
        ),
        Figure(
            title="Busiest hour", value=format_value(busiest["q50"], unit), remark=f"median, {format_time(busiest['ts'], zone)}"
        ),
        Figure(
            title="Busiest hour, 95 %",
            value=format_value(worst["q95"], unit),
            remark=f"1 in 20 is above, {format_time(worst['ts'], zone)}",
        ),
    ]
    if run.metric == "cost_per_h":
        total = frame["mean"].sum() * pd.Timedelta(run.step) / pd.Timedelta(hours=1)
        found.append(Figure(title=f"Sum over {horizon}", value=f"{format_number(total)} USD", remark="mean"))
    return found


def _choice(runs: Sequence[ForecastRun], query: Mapping[str, str]) -> tuple[str, Selector]:
    try:
        selector = read_choice(query.get("selector"))
    except ValueError:
        selector = ALL_CALLS
    metric = query.get("metric", "")
    known = [run.metric for run in runs]
    if metric not in known:
        metric = "tps" if "tps" in known else known[0]
    if "selector" not in query and not any(run.metric == metric and run.selector == selector for run in runs):
        selector = next(run.selector for run in sorted(runs, key=_order) if run.metric == metric)
    return metric, selector


def _order(run: ForecastRun) -> tuple[int, str]:
    return len(run.selector.pairs), str(run.selector)


def _history(web: Web, run: ForecastRun, frame: pd.DataFrame) -> pd.DataFrame:
    first: datetime = frame["ts"].iloc[0].to_pydatetime()
    now = web.now().replace(minute=0, second=0, microsecond=0)
    return queries.hourly_history(web, run.metric, run.selector, first - HISTORY, max(first, now))


def _figure(
    web: Web, run: ForecastRun, frame: pd.DataFrame, history: pd.DataFrame, look: Look
) -> tuple[go.Figure, tuple[Entry, ...]]:
    step = pd.Timedelta(run.step)
    start = frame["ts"].iloc[0] - HISTORY
    if not history.empty and history["value"].notna().any():
        start = max(start, history.loc[history["value"].notna(), "ts"].iloc[0])
    span = Span(start=start.to_pydatetime(), end=(frame["ts"].iloc[-1] + step).to_pydatetime(), zone=web.zone.key)
    figure = forecast_fan(
        Line(name="observed", frame=history),
        frame,
        span,
        run.unit,
        theme_of(look.mode),
        limits=[*limits_for(web, (run.metric,), run.selector), *drawn_limits(web, run.metric, run.selector)],
        revision=f"{run.metric} {run.selector} {run.version}",
    )
    return for_page(figure, "forecast", look)


def _nothing(web: Web) -> ForecastData:
    return ForecastData(
        metrics=(),
        selectors=(),
        metric="",
        selector=ALL_CALLS,
        run=None,
        figure=None,
        legend=(),
        summary=(),
        words=_why_none(web),
    )


def _why_none(web: Web) -> str:
    settings = web.settings.forecast
    if not settings.enabled:
        return "Forecasts are turned off (forecast.enabled)."
    fresh = queries.freshness(web)
    if fresh.newest is None or fresh.first is None:
        return "There is no forecast yet: no calls have been recorded. The first one follows once there is history."
    failed = next((job for job in queries.job_states(web) if "forecast" in job.name and job.last_error), None)
    recorded = format_span(fresh.newest - fresh.first)
    if failed is not None and failed.last_success_at is None:
        reason = failed.last_error[:200]
        return f"There is no forecast yet: the last attempt failed ({reason}). {recorded} of history are recorded."
    return (
        f"There is no forecast yet. One is made every {format_span(settings.every)} from hourly history with at least one "
        f"whole week; {recorded} are recorded so far."
    )
