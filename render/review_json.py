"""A review as JSON, and that as a workbook: every number as it was found, unknown is null."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from core.capacity import LimitOutlook, ServingCost
from core.errors import NotInstalledError
from core.recommendations import Recommendation
from core.reviews import Cause, Compared, Review
from core.series import METRICS
from render.export import spreadsheet_cells

TABLES = (
    "totals", "objectives", "worse", "better", "trends", "slowest", "costliest", "limits", "costs", "incidents",
    "recommendations", "days",
)  # fmt: skip
VERSION = 1


def review_json(made: Review) -> dict[str, Any]:
    """Every number of the review. `metric` and `of` with `from` and `to` are the query that gives the same."""
    period = made.period
    found: dict[str, Any] = {
        "format": VERSION,
        "id": period.id,
        "kind": period.kind,
        "time_zone": period.zone,
        "from": period.start,
        "to": period.end,
        "before_from": period.before,
        "data_from": made.data_from,
        "made_at": made.made_at,
        "comparable": made.comparable,
        "known_days": made.known_days,
        "totals": [_compared(one, made) for one in made.totals],
        "objectives": [asdict(one) for one in made.objectives],
        "worse": [_caused(one, cause, made) for one, cause in zip(made.worse, made.worse_causes, strict=True)],
        "better": [_caused(one, cause, made) for one, cause in zip(made.better, made.better_causes, strict=True)],
        "trends": [{**asdict(one), "of": one.selector.labels, "days": one.days} for one in made.trends],
        "slowest": [_compared(one, made) for one in made.slowest],
        "costliest": [_compared(one, made) for one in made.costliest],
        "limits": [_limit(one) for one in made.limits],
        "costs": [_cost(one) for one in made.costs],
        "incidents": [asdict(one) for one in made.incidents],
        "incidents_before": made.incidents_before,
        "recommendations": [_recommendation(one) for one in made.recommendations],
        "days": [{"day": day, "tps": value} for day, value in made.days],
    }
    known: dict[str, Any] = _known(found)
    return known


def review_workbook(body: Mapping[str, Any]) -> bytes:
    """A sheet for each table of a review's JSON. Raises NotInstalledError without openpyxl."""
    if find_spec("openpyxl") is None:
        raise NotInstalledError("the XLSX writer (openpyxl)", "xlsx")
    book = import_module("openpyxl").Workbook(write_only=True)
    about = book.create_sheet("review")
    for name, value in body.items():
        if name not in TABLES:
            about.append(spreadsheet_cells([name, value]))
    for name in TABLES:
        rows = [_flat(row) for row in body.get(name, [])]
        sheet = book.create_sheet(name)
        heads = list(dict.fromkeys(head for row in rows for head in row))
        sheet.append(spreadsheet_cells(heads))
        for row in rows:
            sheet.append(spreadsheet_cells([row.get(head) for head in heads]))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _compared(one: Compared, made: Review) -> dict[str, Any]:
    found = {
        "metric": one.metric,
        "unit": METRICS[one.metric].unit,
        "of": one.selector.labels,
        "calls": one.calls,
        "calls_before": one.calls_before,
        "value": one.value,
        "before": one.before,
        "change": one.change,
    }
    return {**found, "usd": one.value * made.hours} if one.metric == "cost_per_h" else found


def _caused(one: Compared, cause: Cause, made: Review) -> dict[str, Any]:
    part, change = cause.part, cause.change
    return {
        **_compared(one, made),
        "part": part and {"of": part.selector.labels, "value": part.value, "before": part.before, "share": part.share},
        "since_change": change and asdict(change),
        "incident": cause.incident or None,
        "anomaly": cause.anomaly or None,
    }


def _limit(one: LimitOutlook) -> dict[str, Any]:
    return {
        "name": one.name, "of": one.selector.labels, "kind": one.kind, "unit": one.unit, "limit": one.limit.value,
        "now": one.now, "headroom": one.headroom, "probability": one.probability, "until": one.until,
        "likely_at": one.likely_at, "words": one.words,
    }  # fmt: skip


def _cost(one: ServingCost) -> dict[str, Any]:
    return {
        "of": one.selector.labels, "from": one.first, "to": one.until, "calls_usd": one.calls_usd.value,
        "calls_usd_lower": one.calls_usd.lower, "calls_usd_upper": one.calls_usd.upper, "instances_usd": one.instances_usd,
    }  # fmt: skip


def _recommendation(one: Recommendation) -> dict[str, Any]:
    finding = one.finding
    return {
        "id": one.id, "state": str(one.state), "of": finding.selector.labels, "action": finding.action, "gain": finding.gain,
        "gain_of": finding.gain_of, "confidence": finding.confidence, "who": one.who or None, "why": one.why or None,
        "decided_at": one.decided_at, "outcome": one.outcome and str(one.outcome.verdict),
        "measured": one.outcome and one.outcome.measured, "predicted": finding.effect.after,
    }  # fmt: skip


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A cell each: what lies in a part of the row under `part.value`, selections as `service=chat`."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "of":
            found[name] = ", ".join(f"{key}={held}" for key, held in value.items()) or "all calls"
        elif isinstance(value, Mapping):
            found |= {f"{name}.{inner}": held for inner, held in _flat(value).items()}
        elif isinstance(value, list):
            found[name] = ", ".join("" if held is None else f"{held:.6g}" for held in value)
        else:
            found[name] = value
    return found


def _known(value: Any) -> Any:
    """JSON's own types; NaN and the infinite as null; selectors are told as `of`."""
    if isinstance(value, Mapping):
        return {name: _known(held) for name, held in value.items() if name != "selector"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(held) for held in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return None if isinstance(value, float) and not math.isfinite(value) else value
