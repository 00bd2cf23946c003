"""Series that are called by a name of the user's: transactions, and samples (queue depth, instance counts, quotas)."""

from typing import Any

import pandas as pd

from core.series import METRICS, Selector
from dashboards import queries
from dashboards.api.answers import utc
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.window import Window, iso
from storage.jobs import read_job
from storage.samples import read_samples, sample_names
from storage.transaction_series import TRANSACTION_METRICS, read_transaction_series

_COUNTING_JOB = "transactions"


def read(
    web: Web, metric: str, transaction: str | None, window: Window, selector: Selector, by: tuple[str, ...]
) -> dict[str, Any]:
    """The answer of `GET /api/v1/series` for them. Raises Problem for a name that nobody knows."""
    if transaction is None:
        return _samples(web, metric, window, selector, by)
    if by or selector.pairs:
        raise Problem(422, "transaction: is a selection itself; it cannot be split or narrowed.", parameter="transaction")
    return _transaction(web, metric, transaction, window)


def _transaction(web: Web, metric: str, name: str, window: Window) -> dict[str, Any]:
    known = {one.name: one for one in web.settings.definitions}
    if name not in known:
        words = f"{name!r} is no transaction; known are: {', '.join(known) or 'none, see transactions in the configuration'}."
        raise Problem(404, f"transaction: {words}", parameter="transaction")
    if metric not in TRANSACTION_METRICS:
        words = f"{metric!r} is no metric of a transaction; choose from {', '.join(TRANSACTION_METRICS)}."
        raise Problem(400, f"metric: {words}", parameter="metric")
    if window.step_s % 60:
        raise Problem(422, "step: transactions are counted by whole minutes.", parameter="step")
    job = read_job(web.store, _COUNTING_JOB)
    until = job.cursor if job else None
    frame = read_transaction_series(web.store, known[name], metric, window.start, window.end, window.step_s)
    body = _answer(metric, METRICS[metric].unit, window, utc(until), _over(web, frame, window), ())
    return {**body, "transaction": name, "version": known[name].version, "weight": known[name].weight}


def _samples(web: Web, name: str, window: Window, selector: Selector, by: tuple[str, ...]) -> dict[str, Any]:
    if name not in sample_names(web.store, window.start, window.end):
        words = f"{name!r} is no metric and no name of samples in this span; metrics are {', '.join(METRICS)}."
        raise Problem(400, f"metric: {words}", parameter="metric")
    frame = read_samples(web.store, name, window.start, window.end, window.step_s, labels=selector.labels, by=by)
    until = utc(queries.freshness(web).complete_until)
    return _answer(name, "", window, until, _over(web, frame, window), by)


def _over(web: Web, frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The steps that are over."""
    return frame[frame["ts"] + pd.Timedelta(seconds=window.step_s) <= web.now() - web.settings.detection.delay]


def _answer(
    metric: str, unit: str, window: Window, until: str | None, frame: pd.DataFrame, by: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "metric": metric,
        "unit": unit,
        "step_s": window.step_s,
        "from": iso(window.start),
        "to": iso(window.end),
        "time_zone": "UTC",
        "complete_until": until,
        "series": points_of(frame, by),
    }


def points_of(frame: pd.DataFrame, by: tuple[str, ...]) -> list[dict[str, Any]]:
    """One series a combination of `by`, of a frame[ts, *by, value]; NaN is null."""
    groups = frame.groupby(list(by), sort=False) if by else [((), frame)]
    found = []
    for key, rows in groups:
        times = rows["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
        points = [[at, None if value != value else value] for at, value in zip(times, rows["value"].tolist(), strict=True)]
        found.append({"labels": dict(zip(by, key, strict=True)), "points": points})
    return found
