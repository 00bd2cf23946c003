"""`/explore/files/…` and `/llm/files/…`: what a chart or table of these pages shows, as CSV, for the same address."""

from collections.abc import Callable, Mapping

import pandas as pd
from fastapi import APIRouter, Request
from starlette.responses import Response

from core.series import METRICS
from dashboards.cards import NotShownError
from dashboards.context import Web
from dashboards.explore import reading, spread
from dashboards.explore.asked import Asked, read_asked
from dashboards.llm.drawing import TITLES, lines_of
from dashboards.llm.reading import LlmAsked, read_llm_asked, read_models, read_versions
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import iso
from render.export import CONTENT_TYPES, encode_table
from render.units import unit_words

Read = Callable[[Web, Asked], pd.DataFrame]


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter()

    @routes.get("/explore/files/{part}", include_in_schema=False)
    async def explore(part: str, request: Request) -> Response:
        return await workers.run(_explore_file, web, part, dict(request.query_params))

    @routes.get("/llm/files/{part}", include_in_schema=False)
    async def llm(part: str, request: Request) -> Response:
        return await workers.run(_llm_file, web, part, dict(request.query_params))

    return routes


def _explore_file(web: Web, part: str, query: Mapping[str, str]) -> Response:
    if part not in _EXPLORE:
        raise Problem(404, f"There is no such file; the page has {', '.join(_EXPLORE)}.")
    asked = read_asked(query, web.now())
    try:
        frame = _EXPLORE[part](web, asked)
    except NotShownError as error:
        raise Problem(422, str(error)) from None
    metric = METRICS[spread.timed(asked) if part in ("distribution", "curves") else asked.metric]
    meta = {"content": f"{metric.title}: {part}", "unit": unit_words(metric.unit), "selection": asked.selector.words}
    return csv_answer(frame, {**meta, "from": iso(asked.window.start), "to": iso(asked.window.end)}, f"explore-{part}")


def _llm_file(web: Web, part: str, query: Mapping[str, str]) -> Response:
    asked = read_llm_asked(query, web.now())
    try:
        frame = _llm_frame(web, asked, part)
    except NotShownError as error:
        raise Problem(422, str(error)) from None
    title, unit = TITLES.get(part, ("LLM calls by provider and model", "as the columns say"))
    meta = {"content": title, "unit": unit_words(unit), "selection": asked.selector.words}
    return csv_answer(frame, {**meta, "from": iso(asked.window.start), "to": iso(asked.window.end)}, f"llm-{part}")


def _llm_frame(web: Web, asked: LlmAsked, part: str) -> pd.DataFrame:
    if part in ("models", "versions"):
        models = read_models(web, asked)
        return (models if part == "models" else read_versions(web, asked, models)).drop(columns="name")
    if part not in TITLES:
        raise Problem(404, f"There is no such file; the page has models, {', '.join(TITLES)}.")
    frames = [frame.assign(series=name) for name, frame in lines_of(web, asked, part)]
    return pd.concat(frames, ignore_index=True).rename(columns={"ts": "timestamp_utc"})[["timestamp_utc", "series", "value"]]


def csv_answer(frame: pd.DataFrame, meta: Mapping[str, str], name: str) -> Response:
    """The frame as a file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="tpscope-{name}.csv"'}
    return Response(encode_table(frame, "csv", meta), 200, headers, media_type=CONTENT_TYPES["csv"])


def _lines(web: Web, asked: Asked) -> pd.DataFrame:
    rows = reading.read_lines(web, asked)
    frames = [row.frame.assign(series=row.name or f"{asked.query.get('compare')} before") for row in rows]
    frame = pd.concat(frames, ignore_index=True)
    return frame.rename(columns={"ts": "timestamp_utc", "value": asked.metric})[["timestamp_utc", "series", asked.metric]]


def _week(web: Web, asked: Asked) -> pd.DataFrame:
    frame = reading.read_week(web, asked)
    return frame.rename(columns={"hour": f"hour_{web.zone.key}", "weekday": "weekday_0_is_monday", "value": asked.metric})


def _distribution(web: Web, asked: Asked) -> pd.DataFrame:
    found = spread.read_distribution(web, asked)
    return pd.DataFrame() if found is None else found.frame


_EXPLORE: dict[str, Read] = {
    "lines": _lines,
    "table": reading.read_table,
    "week": _week,
    "distribution": _distribution,
    "curves": spread.read_curves,
}
