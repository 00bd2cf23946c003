"""`GET /api/v1/series`: one metric of a selection over time."""

from datetime import timedelta
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.responses import Response

from core.access import LOCAL, Principal
from core.durations import parse_duration
from core.record import DIMENSIONS
from core.series import METRICS
from core.types import SeriesRequest
from dashboards import queries
from dashboards.access.caller import Who
from dashboards.access.rows import narrowed, whole_only
from dashboards.api import named_series
from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described
from dashboards.api.schemas import SeriesAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.selection import LONGEST, read_selector
from dashboards.threads import Workers
from dashboards.window import Window, iso, read_window
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
    routes = api_router("series")

    @routes.get("/series", summary="One metric over time", **described(SeriesAnswer))
    async def series(query: Annotated[SeriesQuery, Query()], who: Who) -> Response:
        """Points are `[start of the step, value]`; null is unknown, 0 is a true zero. Steps that are not over are left out.

        From `complete_until` on null means that calls have not all arrived.
        """
        return answer(await workers.run(read, web, query, who))

    return routes


def read(web: Web, query: Any, who: Principal = LOCAL) -> dict[str, Any]:
    """Answer one question, of what the caller sees. Raises Problem, BadWindow and what the store raises."""
    if getattr(query, "transaction", None) is not None or query.metric not in METRICS:
        whole_only(who, "metric: a transaction, or a name of samples,")
        window = _window(web, query)
        selector, by = read_selector(query.parameters()), _dimensions(query.by)
        return named_series.read(web, query.metric, query.transaction, window, selector, by)
    asked = asked_series(web, query, who)
    return {
        "metric": asked.metric,
        "unit": METRICS[asked.metric].unit,
        "step_s": asked.step_s,
        "from": iso(asked.start),
        "to": iso(asked.end),
        "time_zone": "UTC",
        "complete_until": utc(queries.freshness(web).complete_until),
        "series": named_series.points_of(steps_of(web, asked), asked.by),
    }


def asked_series(web: Web, query: Any, who: Principal) -> SeriesRequest:
    """What is asked of the calls, within what the caller sees. Raises Problem and BadWindow."""
    if query.metric not in METRICS:
        words = f"metric: {query.metric!r} is no metric; choose from {', '.join(METRICS)}."
        raise Problem(400, words, parameter="metric")
    by, window = _dimensions(query.by), _window(web, query)
    selector = narrowed(who, read_selector(query.parameters()))
    return SeriesRequest(
        metric=query.metric, start=window.start, end=window.end, step_s=window.step_s, selector=selector, by=by
    )


def steps_of(web: Web, request: SeriesRequest) -> pd.DataFrame:
    """`ts`, `*by`, `value` of the steps that are over; raises Problem where they are too many."""
    frame = _frame(web, request)
    most = web.settings.web.max_points
    if len(frame) > most:
        words = f"by: {len(frame):,} points are more than {most:,} (web.max_points); ask for fewer dimensions or a longer step."
        raise Problem(422, words, parameter="by")
    return frame[["ts", *request.by, "value"]]


def _window(web: Web, query: Any) -> Window:
    window = read_window(query.parameters(), web.now(), DEFAULT_LAST, _step(query.step, query.metric))
    most = web.settings.web.max_points
    if window.points > most:
        words = (
            f"step: {window.points:,} points are more than {most:,} (web.max_points); ask for a longer step or a shorter span."
        )
        raise Problem(422, words, parameter="step")
    return window


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
