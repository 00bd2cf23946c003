"""`tpscope runs`: tag the begin and the end of a load test, and say what it showed."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
from rich.console import Console
from rich.markup import escape

from analytics.load_test import LoadTest, Step, analyse
from core.capacity import Fit, LoadRun
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector
from dashboards.capacity import ceiling_words
from storage.capacity import read_runs, write_run
from storage.contract import Store
from storage.series import read_panel
from tpscope.options import print_json
from tpscope.reading import reading

_STEP_S = 10
_METRICS = ("tps", "concurrency", "error_rate")


def start_run(settings: Settings, name: str, selector: str, note: str) -> int:
    """Note that a load test begins now."""
    with reading(settings) as store:
        if any(run.name == name and run.ended_at is None for run in read_runs(store)):
            raise ConfigError("runs start", f"{name!r} runs already; end it with `tpscope runs stop {name}`")
        wanted = _selector(selector)
        run = LoadRun(id=uuid4().hex[:12], name=name, selector=wanted, note=note, started_at=datetime.now(UTC), ended_at=None)
        write_run(store, run)
    Console().print(f"{name} runs since {run.started_at:%H:%M:%S} UTC", highlight=False)
    return 0


def stop_run(settings: Settings, name: str) -> int:
    """Note that a load test ends now."""
    with reading(settings) as store:
        run = next((one for one in read_runs(store) if one.name == name and one.ended_at is None), None)
        if run is None:
            raise ConfigError("runs stop", f"no load test {name!r} runs; see `tpscope runs list`")
        write_run(store, replace(run, ended_at=datetime.now(UTC)))
    Console().print(f"{name} ended; `tpscope runs list {name}` says what it showed", highlight=False)
    return 0


def list_runs(settings: Settings, name: str | None, *, as_json: bool) -> int:
    """Print the load tests; with a name the newest of that name and what it showed."""
    with reading(settings) as store:
        runs = [run for run in read_runs(store) if name in (None, run.name)]
        if name is not None and not runs:
            raise ConfigError("runs list", f"there is no load test {name!r}")
        found = analysed(store, runs[0]) if name is not None else None
    rows: list[dict[str, Any]] = [_run(run) for run in runs[: 1 if name else None]]
    words = [] if found is None else said(runs[0], found)
    if as_json:
        print_json([{**row, "found": words, "steps": [_step(step) for step in found.steps] if found else None} for row in rows])
        return 0
    console = Console(soft_wrap=True)
    for row in rows:
        selection = f", {row['selector']}" if row["selector"] else ""
        console.print(escape(f"{row['name']}: {row['started_at']} to {row['ended_at'] or 'now'}{selection}  {row['note']}"))
    for line in words or ([] if rows else ["there are no load tests; begin one with `tpscope runs start NAME`"]):
        console.print(escape(line), highlight=False)
    return 0


def analysed(store: Store, run: LoadRun) -> LoadTest:
    """Spans of 10 seconds from the rollup by second, where it can answer; else from the single calls."""
    end = run.ended_at or datetime.now(UTC)
    panel = read_panel(store, run.started_at, end, _STEP_S, (), _METRICS, selector=run.selector)
    # The first and the last span are not whole.
    whole = panel[(panel["ts"] >= run.started_at) & (panel["ts"] <= end - timedelta(seconds=_STEP_S))]
    tps, concurrency, errors = (whole[metric].to_numpy("float64") for metric in _METRICS)
    latency = np.divide(concurrency * 1000.0, tps, out=np.full(len(tps), np.nan), where=tps > 0.0)
    return analyse(tps, concurrency, latency, errors)


def said(run: LoadRun, found: LoadTest) -> list[str]:
    """What a load test showed, line by line."""
    lines = [_said_of(number, step) for number, step in enumerate(found.steps, 1)]
    if not lines:
        return ["no calls were recorded in it yet"]
    if found.breaking_point is not None:
        lines.append(f"breaking point: {found.breaking_point.tps:,.4g} calls/s; {found.held_tps:,.4g} calls/s still held")
    else:
        lines.append(f"no step broke; the highest carried {found.held_tps:,.4g} calls/s")
    return [*lines, ceiling_words(Fit(selector=run.selector, made_at=run.started_at, ceiling=found.ceiling, points=()))]


def _said_of(number: int, step: Step) -> str:
    words = f"step {number}: {step.tps:,.4g} calls/s for {(step.end - step.first) * _STEP_S} s, "
    words += f"mean latency {step.latency_ms:,.4g} ms, errors {_share(step.error_rate)}"
    return words + (f"; broken: {step.broken}" if step.broken else "") + _drift(step)


def _drift(step: Step) -> str:
    words = ""
    hour = 3600 / _STEP_S
    if step.latency_drift.real:
        words += f"; latency drifts by {step.latency_drift.slope.value * hour:+,.3g} ms an hour"
    if step.error_drift.real:
        words += f"; errors drift by {step.error_drift.slope.value * hour * 100:+,.3g} points an hour"
    return words


def _share(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.1%}"


def _selector(text: str) -> Selector:
    try:
        return Selector.parse(text)
    except ValueError as error:
        raise ConfigError("--selector", str(error)) from error


def _run(run: LoadRun) -> dict[str, Any]:
    times = {
        name: moment.isoformat(timespec="seconds") if moment else None
        for name, moment in (("started_at", run.started_at), ("ended_at", run.ended_at))
    }
    return {"id": run.id, "name": run.name, "selector": str(run.selector), "note": run.note, **times}


def _step(step: Step) -> dict[str, Any]:
    return {name: value if value == value else None for name, value in asdict(step).items() if not name.endswith("_drift")}
