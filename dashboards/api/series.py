"""`GET /api/v1/series`: one metric of a selection over time."""

from datetime import timedelta
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.responses import Response

from core.durations import parse_duration
from core.record import DIMENSIONS
from core.series import METRICS
from core.types import SeriesRequest
from dashboards import queries
from dashboards.api import named_series
from dashboards.api.answers import answer, utc
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.selection import LONGEST, read_selector
from dashboards.threads import Workers
from dashboards.window import iso, read_window
from storage.series import read_series

DEFAULT_LAST = "1h"
MAX_BY = 3


class SpanQuery(BaseModel):
    """A span: `last`, or `from` and `to`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: str | None = Field(None, alias="from", max_length=64, description="Begin: RFC 3339; without a zone it is UTC.")
    to: str | None = Field(None, max_length=64, description="End, not included; by default now.")
    last: str | None = Field(None, max_length=32, description="Instead of from and to: `15m`, `6h`, `14d`. Default 1h.")

    def parameters(self) -> dict[str, str]:
        """What was given, by the names of the address."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if value is not None}


class _SeriesBase(SpanQuery):
    metric: str = Field(max_length=200, description=f"A name of samples, or one of: {', '.join(METRICS)}.")
    transaction: str | None = Field(None, max_length=200, description="Of this transaction, in its version in force.")
    step: str | None = Field(
        None, max_length=32, description="Width of a point: `60`, `5m`, `1h`. Default: follows from the span."
    )
    by: str | None = Field(
        None, max_length=200, description="Dimensions to split by, with commas; each combination is a series."
    )


def with_dimensions(base: type[Any], name: str) -> Any:
    """`base` with an optional parameter per dimension of a call."""
    fields: dict[str, Any] = {
        dimension: (
            str | None,
            Field(None, max_length=LONGEST, description=f"Only calls of this {dimension.replace('_', ' ')}."),
        )
        for dimension in DIMENSIONS
    }
    return create_model(name, __base__=base, **fields)


SeriesQuery: Any = with_dimensions(_SeriesBase, "SeriesQuery")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["series"])

    @routes.get("/series", summary="One metric over time", response_class=Response)
    async def series(query: Annotated[SeriesQuery, Query()]) -> Response:
        """Points are `[start of the step, value]`; null is unknown, 0 is a true zero. Steps that are not over are left out.

        From `complete_until` on null means that calls have not all arrived.
        """
        return answer(await workers.run(read, web, query))

    return routes


def read(web: Web, query: Any) -> dict[str, Any]:
    """Answer one question. Raises Problem, BadWindow and what the store raises."""
    parameters = query.parameters()
    named = query.transaction is not None or query.metric not in METRICS
    metric = query.metric
    by = _dimensions(query.by)
    step_s = _step(query.step, metric)
    window = read_window(parameters, web.now(), DEFAULT_LAST, step_s)
    most = web.settings.web.max_points
    if window.points > most:
        words = (
            f"step: {window.points:,} points are more than {most:,} (web.max_points); ask for a longer step or a shorter span."
        )
        raise Problem(422, words, parameter="step")
    selector = read_selector(parameters)
    if named:
        return named_series.read(web, metric, query.transaction, window, selector, by)
    request = SeriesRequest(metric=metric, start=window.start, end=window.end, step_s=window.step_s, selector=selector, by=by)
    frame = _frame(web, request)
    if len(frame) > most:
        words = f"by: {len(frame):,} points are more than {most:,} (web.max_points); ask for fewer dimensions or a longer step."
        raise Problem(422, words, parameter="by")
    return {
        "metric": metric,
        "unit": METRICS[metric].unit,
        "step_s": window.step_s,
        "from": iso(window.start),
        "to": iso(window.end),
        "time_zone": "UTC",
        "complete_until": utc(queries.freshness(web).complete_until),
        "series": named_series.points_of(frame, by),
    }


def _frame(web: Web, request: SeriesRequest) -> pd.DataFrame:
    """The steps that are over, with what is not known whole as NaN."""
    frame = read_series(web.store, request)
    ends = frame["ts"] + pd.Timedelta(seconds=request.step_s)
    over = web.now() - web.settings.detection.delay
    until = queries.freshness(web).complete_until
    if until is not None:
        frame = frame.assign(value=frame["value"].where(ends <= until))
    return frame[ends <= over]


def _dimensions(text: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    for name in names:
        if name not in DIMENSIONS:
            raise Problem(400, f"by: {name!r} is no dimension; choose from {', '.join(DIMENSIONS)}.", parameter="by")
    if len(names) > MAX_BY:
        raise Problem(422, f"by: at most {MAX_BY} dimensions at once.", parameter="by")
    return names


def _step(text: str | None, metric: str) -> int | None:
    if text is None:
        return None
    try:
        step = timedelta(seconds=int(text)) if text.isdigit() else parse_duration(text)
    except (ValueError, OverflowError):
        raise Problem(400, f"step: {text!r} is no step; write for example 60, 5m or 1h.", parameter="step") from None
    seconds = step.total_seconds()
    short = metric in ("tps", "error_rate")
    if seconds != int(seconds) or seconds < (1 if short else 60) or (seconds % 60 and not (short and 60 % seconds == 0)):
        least = "whole seconds that divide a minute, or whole minutes" if short else "whole minutes"
        raise Problem(422, f"step: a step of {metric} must be {least}.", parameter="step")
    if seconds > 31 * 86_400:
        raise Problem(422, "step: must be at most 31 days.", parameter="step")
    return int(seconds)
