"""The shell of reviews: the figures of a period are read, compared with the one before, and chosen from."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from analytics.reviewing.choosing import changed, largest, rising
from analytics.reviewing.trends import mann_kendall
from core.burning import burn_rate
from core.config import ObjectiveSettings, Settings
from core.masks import holds
from core.reviews import Compared, Kept, Review, ReviewedIncident, Trend
from core.series import Selector
from core.types import Anomaly, SeriesRequest
from storage.anomalies import read_anomalies
from storage.capacity import read_costs, read_limits
from storage.contract import Store
from storage.incidents import read_incidents
from storage.objectives import read_shares
from storage.recommendations import read_recommendations
from storage.series import read_panel, read_series
from storage.spans import read_spans

PERIODS = {"week": timedelta(days=7), "month": timedelta(days=28)}
TOTALS = ("tps", "error_rate", "latency_p50", "latency_p95", "latency_p99", "tokens_per_s", "cost_per_h", "cache_hit_rate")
_COMPARED = ("latency_p95", "error_rate", "cost_per_h")
_SCOPES = ("service", "route", "model")
_RANKED = ("route", "tenant", "model")
_DAY = timedelta(days=1)
_TREND = timedelta(days=28)


def review(store: Store, settings: Settings, kind: str, end: datetime) -> Review:
    """The review of the week or month (28 days) that ends at `end`, a whole day (UTC)."""
    period = PERIODS[kind]
    start, before = end - period, end - 2 * period
    spans = [(start, end), (before, start)]
    moved = [one for name in _SCOPES for metric in _COMPARED for one in compared(store, metric, spans, (name,))]
    worse, better = changed(moved)
    return Review(
        kind=kind,
        start=start,
        end=end,
        before=before,
        totals=tuple(one for metric in TOTALS for one in compared(store, metric, spans, ()) if math.isfinite(one.value)),
        objectives=tuple(_kept(store, settings, one, (start, end)) for one in settings.objectives),
        trends=rising(_trends(store, end)),
        worse=worse,
        causes=tuple(_cause(one, read_anomalies(store, start, end)) for one in worse),
        better=better,
        slowest=_largest(store, "latency_p95", spans),
        costliest=_largest(store, "cost_per_h", spans),
        limits=tuple(read_limits(store)),
        costs=tuple(read_costs(store)),
        incidents=tuple(_incidents(store, start, end)),
        recommendations=tuple(read_recommendations(store)),
        days=_days(store, before, end),
    )


def compared(store: Store, metric: str, spans: Sequence[tuple[datetime, datetime]], by: tuple[str, ...]) -> list[Compared]:
    """A metric over the first span and the second, for each value of `by` that the first has."""
    frame = _costs(store, spans, by) if metric == "cost_per_h" else read_spans(store, metric, spans, by=by)
    values: dict[tuple[str, ...], dict[int, tuple[float, float]]] = {}
    for row in frame.to_dict("records"):
        key = tuple(str(row[name]) for name in by)
        values.setdefault(key, {})[int(row["span"])] = (float(row["calls"]), float(row["value"]))
    nothing = (0.0, math.nan)
    return [
        Compared(
            metric=metric, selector=Selector.of(dict(zip(by, key, strict=True))), calls=int(found[0][0]), value=found[0][1],
            before=found.get(1, nothing)[1],
        )
        for key, found in values.items()
        if 0 in found and "" not in key
    ]  # fmt: skip


def _costs(store: Store, spans: Sequence[tuple[datetime, datetime]], by: tuple[str, ...]) -> pd.DataFrame:
    """Costs as series have them, priced tokens among them, by the day: mean of the span's hours; NaN where none is known."""
    parts = []
    for number, (start, end) in enumerate(spans):
        panel = read_panel(store, start, end, int(_DAY.total_seconds()), by, ("cost_per_h",)).assign(span=number)
        grouped = panel.groupby([*by, "span"])
        parts.append((grouped["cost_per_h"].sum(min_count=1) / ((end - start) / _DAY)).rename("value").to_frame())
        parts[-1]["calls"] = grouped["calls"].sum().astype("float64")
    return pd.concat(parts).reset_index()


def _cause(one: Compared, anomalies: Sequence[Anomaly]) -> str:
    """What the most severe anomaly of the selection, or of a part of it, says; empty: there was none."""
    of_it = [found for found in anomalies if holds(found.selector, one.selector) and not found.muted]
    worst = max(of_it, key=lambda found: found.severity, default=None)
    return "" if worst is None else f"{worst.started_at:%Y-%m-%d %H:%M}: {worst.explanation}"


def _largest(store: Store, metric: str, spans: Sequence[tuple[datetime, datetime]]) -> tuple[Compared, ...]:
    return tuple(one for name in _RANKED for one in largest(compared(store, metric, spans, (name,)), 3))


def _kept(store: Store, settings: Settings, one: ObjectiveSettings, span: tuple[datetime, datetime]) -> Kept:
    """By the objective's own measure; of a transaction that is the share that was bad."""
    transactions = {known.name: known.definition for known in settings.transactions}
    frame = read_shares(store, one, transactions.get(one.transaction), [span])
    value = float(frame["value"].iloc[0]) if len(frame) else math.nan
    allowed = one.allowed
    left = 1.0 - burn_rate(value, allowed) if allowed and math.isfinite(value) else math.nan
    if one.transaction:
        return Kept(
            name=one.name,
            metric="error_rate",
            value=value,
            target=allowed or 0.0,
            kept=value <= (allowed or 0.0),
            budget_left=left,
        )
    target = one.at_most if one.at_most is not None else one.at_least or 0.0
    kept = value <= target if one.at_most is not None else value >= target
    return Kept(name=one.name, metric=one.metric, value=value, target=target, kept=kept, budget_left=left)


def _trends(store: Store, end: datetime) -> list[Trend]:
    """Of every service over the last four weeks, by whole days (UTC)."""
    last = end.replace(hour=0, minute=0, second=0, microsecond=0)
    panel = read_panel(store, last - _TREND, last, int(_DAY.total_seconds()), ("service",), _COMPARED)
    found = []
    for service, rows in panel[panel["service"] != ""].groupby("service"):
        for metric in _COMPARED:
            daily = rows.set_index("ts")[metric].asfreq("D").to_numpy("float64")
            p_value, slope = mann_kendall(daily)
            known = [value for value in daily if math.isfinite(value)]
            if math.isfinite(p_value) and (middle := sorted(known)[len(known) // 2]) > 0.0:
                found.append(
                    Trend(
                        metric=metric, selector=Selector.of(service=str(service)), days=len(daily), first=known[0],
                        last=known[-1], p_value=p_value, growth=slope * (len(daily) - 1) / middle,
                    )
                )  # fmt: skip
    return found


def _incidents(store: Store, start: datetime, end: datetime) -> list[ReviewedIncident]:
    found = []
    for one in read_incidents(store, start, end):
        if one.opened_at is None:
            continue
        lasted = (one.resolved_at - one.started_at).total_seconds() if one.resolved_at else math.nan
        found.append(
            ReviewedIncident(
                title=one.title, severity=str(one.severity), started_at=one.started_at,
                detected_s=max((one.opened_at - one.started_at).total_seconds(), 0.0), lasted_s=lasted,
            )
        )  # fmt: skip
    return found


def _days(store: Store, start: datetime, end: datetime) -> tuple[tuple[datetime, float], ...]:
    request = SeriesRequest(metric="tps", start=start, end=end, step_s=int(_DAY.total_seconds()))
    frame = read_series(store, request)
    return tuple(zip(frame["ts"].dt.to_pydatetime(), frame["value"].astype(float).tolist(), strict=True))
