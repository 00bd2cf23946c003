"""`/reviews` and `/reviews/{id}`: the archive of reviews, and one as it was made."""

import html
from itertools import groupby
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from core.config import Settings
from core.reviews import ArchivedReview
from dashboards.api.reviews import archived_review
from dashboards.context import Web
from dashboards.plain_page import plain_page
from dashboards.threads import Workers
from storage.reviews import list_reviews

_MOST = 300
_NONE = "<p>No review was made yet. {when} <code>tpscope review --archive</code> makes one of the last seven days now.</p>"


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/reviews")
    async def all_() -> Response:
        found = await workers.run(list_reviews, web.store, "", _MOST)
        return plain_page("Performance reviews", _archive(found, web.settings), 200)

    @routes.get("/reviews/{review_id}")
    async def one(review_id: str, version: int = 0) -> Response:
        found = await workers.run(archived_review, web, review_id[:64], max(version, 0))
        return HTMLResponse(found.page)

    return routes


def _archive(found: list[ArchivedReview], settings: Settings) -> str:
    back = '<p><a href="/">Back to the overview</a></p>'
    if not found:
        return _NONE.format(when=when_words(settings)) + back
    items = []
    for _, versions in groupby(found, key=lambda one: one.id):
        newest, *older = versions
        earlier = "".join(
            f' · <a href="/reviews/{html.escape(one.id)}?version={one.version}">version {one.version}</a>' for one in older
        )
        headline, *rest = newest.words.splitlines()
        first = next((line.removeprefix("- ") for line in rest if line.startswith("- ")), "")
        files = (
            f'<a href="/api/v1/reviews/{html.escape(newest.id)}/tables">tables (XLSX)</a> · '
            f'<a href="/api/v1/reviews/{html.escape(newest.id)}/page">file (HTML)</a> · '
            f'<a href="/api/v1/reviews/{html.escape(newest.id)}">JSON</a>{earlier}'
        )
        items.append(
            f'<dt><a href="/reviews/{html.escape(newest.id)}">{html.escape(headline)}</a></dt>'
            f"<dd>{html.escape(first)}<br><small>{files}</small></dd>"
        )
    return f"<p>{when_words(settings)}</p><dl>{''.join(items)}</dl>{back}"


def when_words(settings: Settings) -> str:
    """When reviews are made, for people."""
    reviews = settings.reviews
    zone = ZoneInfo(reviews.time_zone or settings.time_zone).key
    days = [f"every {reviews.weekly.capitalize()}"] if reviews.weekly else []
    days += [f"on day {reviews.monthly} of each month"] if reviews.monthly else []
    if not reviews.enabled or not days:
        return "Reviews are not made by themselves (<code>reviews</code> in the configuration)."
    return f"They are made {' and '.join(days)} from {reviews.hour:02d}:00 ({html.escape(zone)}) on."
