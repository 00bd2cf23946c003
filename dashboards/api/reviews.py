"""`GET /api/v1/reviews`, one by id, its page and its tables: what weeks and months were like, as it was archived.

A review speaks of all tenants at once, so that tokens of single tenants do not come in (`dashboards/access/decisions.py`).
"""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.reviews import ArchivedReview
from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described, described_file
from dashboards.api.schemas import OneReviewAnswer, ReviewsAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from render.export import CONTENT_TYPES
from render.review_json import review_workbook
from storage.reviews import list_reviews, read_review

_HTML = "text/html; charset=utf-8"
_Id = Annotated[str, Path(max_length=64, description="`week-2026-03-16`: the kind, and the day after its last.")]


class ReviewsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["", "week", "month"] = Field("", description="Only those of weeks, or of months; empty: all.")
    limit: int = Field(100, ge=1, le=1000, description="Most of them, the latest period first.")


class VersionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(0, ge=0, le=1_000_000, description="Which version; 0: the newest.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("reviews")

    @routes.get("/reviews", summary="Archived reviews", **described(ReviewsAnswer))
    async def list_(query: Annotated[ReviewsQuery, Query()]) -> Response:
        found = await workers.run(list_reviews, web.store, query.kind, query.limit)
        return answer({"reviews": [_json(one) for one in found]})

    @routes.get("/reviews/{review_id}", summary="One review with every number", **described(OneReviewAnswer))
    async def one(review_id: _Id, query: Annotated[VersionQuery, Query()]) -> Response:
        found = await workers.run(archived_review, web, review_id, query.version)
        return answer({**_json(found), "review": orjson.loads(found.body)})

    @routes.get("/reviews/{review_id}/page", summary="One review as a page", **described_file(_HTML))
    async def page(review_id: _Id, query: Annotated[VersionQuery, Query()]) -> Response:
        found = await workers.run(archived_review, web, review_id, query.version)
        return Response(found.page, 200, _attachment(found, "html"), media_type=_HTML)

    @routes.get("/reviews/{review_id}/tables", summary="Its tables as a workbook", **described_file(CONTENT_TYPES["xlsx"]))
    async def tables(review_id: _Id, query: Annotated[VersionQuery, Query()]) -> Response:
        found = await workers.run(archived_review, web, review_id, query.version)
        book = await workers.run(review_workbook, orjson.loads(found.body))
        return Response(book, 200, _attachment(found, "xlsx"), media_type=CONTENT_TYPES["xlsx"])

    return routes


def archived_review(web: Web, review_id: str, version: int = 0) -> ArchivedReview:
    """One version, the newest for 0. Raises Problem (404)."""
    found = read_review(web.store, review_id, version)
    if found is None:
        which = f"version {version} of the review" if version else "review"
        raise Problem(404, f"There is no {which} {review_id[:40]!r}.")
    return found


def _attachment(found: ArchivedReview, ending: str) -> dict[str, str]:
    """Offered under a name of our own making: ids come from the archive, and hold nothing but letters, digits and dashes."""
    return {"Content-Disposition": f'attachment; filename="tpscope-review-{found.id}-v{found.version}.{ending}"'}


def _json(one: ArchivedReview) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "version": one.version,
        "from": utc(one.start),
        "to": utc(one.end),
        "made_at": utc(one.made_at),
        "made_by": one.made_by,
        "words": one.words,
    }
