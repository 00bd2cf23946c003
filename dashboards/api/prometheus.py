"""`/api/v1/prometheus/api/v1/…`: our metrics for whoever speaks Prometheus' query API, Grafana above all.

A data source of the kind "Prometheus" with the address `https://HOST/api/v1/prometheus`. What is answered of PromQL stands in
`promql.py`. The value at an instant is that of the last whole step before it: a step is what the question's step is, rounded
up to whole minutes. Refusals have Prometheus' own form, which its clients show.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
from fastapi import APIRouter, Request
from starlette.responses import Response

from core.access import Principal
from core.clock import floor_to
from core.durations import parse_duration
from core.record import DIMENSIONS
from core.series import METRICS, Selector
from core.types import SeriesRequest
from dashboards.access.caller import Who
from dashboards.access.rows import TENANT, narrowed
from dashboards.api import series
from dashboards.api.answers import answer
from dashboards.api.documented import api_router, described
from dashboards.api.promql import MAX_LENGTH, BadQuery, VectorQuery, parse
from dashboards.api.schemas import PrometheusAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import EARLIEST, LATEST
from storage.series import read_panel, top_values

MAX_STEPS = 11_000
"""As many as Prometheus gives of one line."""

_SPOKEN = "2.24.0"
"""The Prometheus whose API this is like: the first that takes `match[]` for label values, by which Grafana tells them apart."""

_RANGED = re.compile(r"([^\[\]]*)\[\s*([0-9a-z]+)\s*\]\s*", re.DOTALL)
"""`tps[1h]`: what clients ask that want the values themselves."""

_PREFIX = "/prometheus/api/v1"
_NAME = "__name__"
_MINUTE_S = 60
_LOOKBACK = timedelta(minutes=5)
_MOST_VALUES = 1000
_FOLLOWED = timedelta(days=1)

Fields = dict[str, str]
Line = tuple[dict[str, str], np.ndarray, np.ndarray]
"""Labels, starts of the steps (seconds since 1970) and values (NaN: unknown)."""

Work = Callable[[Web, Fields, Principal], Any]


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("prometheus")

    async def answered(request: Request, who: Principal, work: Work, **more: str) -> Response:
        fields = {**await _fields(request), **more}
        try:
            return answer({"status": "success", "data": await workers.run(work, web, fields, who)})
        except (BadQuery, Problem) as error:
            status = error.status if isinstance(error, Problem) else 400
            words = error.detail if isinstance(error, Problem) else f"{error}."
            return answer({"status": "error", "errorType": "bad_data", "error": words}, status)

    def both(name: str, work: Work, summary: str, *parameters: str) -> None:
        async def get(request: Request, who: Who) -> Response:
            return await answered(request, who, work)

        async def post(request: Request, who: Who) -> Response:
            return await answered(request, who, work)

        for method, handler in (("GET", get), ("POST", post)):
            routes.add_api_route(
                f"{_PREFIX}/{name}",
                handler,
                methods=[method],
                name=f"prometheus_{name}_{method.lower()}",
                summary=summary,
                openapi_extra=_described(method, parameters),
                **_shape(),
            )

    both("query", instant, "The value of an expression at an instant", "query", "time")
    both("query_range", over_time, "An expression over time", "query", "start", "end", "step")
    both("labels", names_of_labels, "The labels that lines have")
    both("series", lines_of, "The lines that fit", "match[]")
    both("query_exemplars", no_exemplars, "Single calls beside an expression: there are none", "query", "start", "end")

    @routes.get(_PREFIX + "/label/{name}/values", summary="The values of a label", **_shape())
    async def values(name: str, request: Request, who: Who) -> Response:
        return await answered(request, who, values_of, label=name[:MAX_LENGTH])

    @routes.get(_PREFIX + "/metadata", summary="The metrics, in words", **_shape())
    async def metadata() -> Response:
        found = {one.name: [{"type": "gauge", "help": one.title, "unit": one.unit}] for one in METRICS.values()}
        return answer({"status": "success", "data": found})

    build = {"version": _SPOKEN, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
    for name, data in (("rules", {"groups": []}), ("alerts", {"alerts": []}), ("status/buildinfo", build)):
        routes.add_api_route(
            f"{_PREFIX}/{name}",
            _constant({"status": "success", "data": data}),
            methods=["GET"],
            name=f"prometheus_{name.replace('/', '_')}",
            summary="What Grafana asks a data source of its kind, besides",
            **_shape(),
        )
    return routes


def instant(web: Web, fields: Fields, who: Principal) -> dict[str, Any]:
    """`query`: the newest of the five whole minutes before the instant, or with `[1h]` behind a selection each minute's."""
    at = _time(fields, "time", web.now())
    if ranged := _RANGED.fullmatch(fields.get("query", "")):
        return _minutes(web, ranged[1], _step(ranged[2]), at, who)
    asked = parse(fields.get("query", ""))
    if isinstance(asked, float):
        return {"resultType": "scalar", "result": [at.timestamp(), _text(asked)]}
    end = floor_to(at, timedelta(minutes=1))
    lines = _lines(web, asked, end - _LOOKBACK, end, _MINUTE_S, who)
    newest = [(labels, values[~np.isnan(values)]) for labels, _, values in lines]
    return {
        "resultType": "vector",
        "result": [
            {"metric": labels, "value": [at.timestamp(), _text(values[-1])]} for labels, values in newest if len(values)
        ],
    }


def _minutes(web: Web, text: str, span_s: float, at: datetime, who: Principal) -> dict[str, Any]:
    """The values of the whole minutes that ended in the span up to the instant."""
    end = floor_to(at, timedelta(minutes=1)).timestamp()
    count = int(max(end - (at.timestamp() - span_s) - 1e-6, 0.0) // _MINUTE_S) + 1
    fields = {"query": text, "start": str(end - (count - 1) * _MINUTE_S), "end": str(end), "step": str(_MINUTE_S)}
    return over_time(web, fields, who)


def over_time(web: Web, fields: Fields, who: Principal) -> dict[str, Any]:
    """`query_range`: at each instant the value of the last whole step before it."""
    start, end = _time(fields, "start"), _time(fields, "end")
    step_s = _step(fields.get("step", ""))
    if end < start:
        raise BadQuery("end: lies before start")
    count = int((end - start).total_seconds() // step_s) + 1
    if count > MAX_STEPS:
        raise BadQuery(f"step: {count:,} steps are more than {MAX_STEPS:,}; ask for a longer one")
    instants = start.timestamp() + step_s * np.arange(count)
    asked = parse(fields.get("query", ""))
    if isinstance(asked, float):
        constant = [[float(at), _text(asked)] for at in instants]
        return {"resultType": "matrix", "result": [{"metric": {}, "values": constant}]}
    width_s = max(_MINUTE_S, int(np.ceil(step_s / _MINUTE_S)) * _MINUTE_S)
    first = datetime.fromtimestamp(float(instants[0]) // width_s * width_s - width_s, UTC)
    found = []
    for labels, starts, values in _lines(web, asked, first, end, width_s, who):
        place = np.searchsorted(starts + width_s, instants, side="right") - 1
        known = (place >= 0) & (instants - starts[np.maximum(place, 0)] < 2 * width_s)
        known[known] = ~np.isnan(values[place[known]])
        points = [[float(at), _text(value)] for at, value in zip(instants[known], values[place[known]], strict=True)]
        if points:
            found.append({"metric": labels, "values": points})
    return {"resultType": "matrix", "result": found}


def names_of_labels(_web: Web, _fields: Fields, _who: Principal) -> list[str]:
    """`labels`."""
    return [_NAME, *sorted(DIMENSIONS)]


def lines_of(_web: Web, fields: Fields, _who: Principal) -> list[dict[str, str]]:
    """`series`: as far as the expression says it."""
    asked = parse(fields.get("match[]", ""))
    if isinstance(asked, float):
        raise BadQuery("match[]: a number is no selection")
    return [{_NAME: asked.metric, **asked.equal}]


def no_exemplars(_web: Web, _fields: Fields, _who: Principal) -> list[Any]:
    """`query_exemplars`: Grafana asks for them beside every expression."""
    return []


def values_of(web: Web, fields: Fields, who: Principal) -> list[str]:
    """`label/…/values`: metrics, or the values of a dimension over the span (default: the last day).

    `match[]` narrows them by what it says with `=`; a selection that is not understood narrows nothing, as dropdowns need some.
    """
    label = fields["label"]
    if label == _NAME:
        return list(METRICS)
    if label not in DIMENSIONS:
        return []
    end = _time(fields, "end", web.now())
    start = _time(fields, "start", end - _FOLLOWED)
    if start >= end:
        raise BadQuery("end: does not lie after start")
    if label == TENANT and who.tenants:
        return sorted(who.tenants)
    asked = _matched(fields.get("match[]", ""))
    if not who.tenants and not asked:
        return sorted(top_values(web.store, label, start, end, _MOST_VALUES))
    width_s = int((end - start).total_seconds() // _MINUTE_S + 1) * _MINUTE_S
    found: set[str] = set()
    for own in who.tenants or ("",):
        selector = Selector.of({**asked, **({TENANT: own} if own else {})})
        panel = read_panel(web.store, start, end, width_s, (label,), ("tps",), selector=selector)
        found |= {str(value) for value in panel[label] if value}
    return sorted(found)[:_MOST_VALUES]


def _matched(text: str) -> dict[str, str]:
    """What a selection asks of dimensions with `=`; nothing for one that is not understood."""
    try:
        asked = parse(text) if text else 0.0
    except BadQuery:
        return {}
    return {} if isinstance(asked, float) else asked.equal


def _lines(web: Web, asked: VectorQuery, start: datetime, end: datetime, step_s: int, who: Principal) -> list[Line]:
    """The lines of a question, of the steps that are over."""
    split = asked.split
    if len(split) > series.MAX_BY:
        raise BadQuery(f"lines are split by {series.MAX_BY} dimensions at most")
    request = SeriesRequest(
        metric=asked.metric,
        start=start,
        end=end,
        step_s=step_s,
        selector=narrowed(who, Selector.of(asked.equal)),
        by=split,
    )
    if request.end <= request.start or (request.end - request.start).total_seconds() / step_s > MAX_STEPS + 2:
        raise BadQuery("the span is empty or has too many steps")
    frame = series.steps_of(web, request)
    found: list[Line] = []
    for key, rows in frame.groupby(list(split), sort=True) if split else [((), frame)]:
        labels = dict(zip(split, map(str, key), strict=True))
        if all(not wanted or labels[name] in wanted for name, wanted in asked.one_of.items()):
            starts = rows["ts"].to_numpy("datetime64[s]").astype("int64").astype("float64")
            found.append(({_NAME: asked.metric, **asked.equal, **labels}, starts, rows["value"].to_numpy("float64")))
    return found


def _constant(body: dict[str, Any]) -> Callable[[], Any]:
    async def constant() -> Response:
        return answer(body)

    return constant


async def _fields(request: Request) -> Fields:
    """Parameters of the address and of the form; the first of each name."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        pairs += parse_qsl((await request.body()).decode("utf-8", errors="replace"), keep_blank_values=True)
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _time(fields: Fields, name: str, default: datetime | None = None) -> datetime:
    text = fields.get(name, "").strip()
    if not text and default is not None:
        return default
    try:
        moment = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadQuery(f"{name}: {text[:40]!r} is no time; write seconds since 1970 or 2026-03-01T12:00:00Z") from None
    if not EARLIEST <= moment <= LATEST:
        raise BadQuery(f"{name}: {text[:40]!r} lies outside of the years 2000 to 2100")
    return moment


def _step(text: str) -> float:
    try:
        step_s = float(text) if _is_number(text) else parse_duration(text).total_seconds()
    except (ValueError, OverflowError):
        raise BadQuery(f"step: {text[:40]!r} is no step; write for example 60 or 5m") from None
    if not 1 <= step_s <= 31 * 86_400:
        raise BadQuery("step: must lie between 1 s and 31 days")
    return step_s


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isascii() and text.replace(".", "", 1).lstrip("-").isdigit()


def _text(value: float) -> str:
    return "NaN" if pd.isna(value) else repr(float(value))


def _shape() -> dict[str, Any]:
    arguments = described(PrometheusAnswer)
    refused = {"model": PrometheusAnswer, "description": "Cannot be answered as it was asked; `error` says why."}
    arguments["responses"] = {**arguments["responses"], 400: refused}
    return arguments


def _described(method: str, parameters: tuple[str, ...]) -> dict[str, Any]:
    if method == "GET":
        return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in parameters]}
    fields = {name: {"type": "string"} for name in parameters}
    form = {"schema": {"type": "object", "properties": fields}}
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": form}}}
