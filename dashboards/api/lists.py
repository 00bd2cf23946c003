"""What the addresses of lists have in common: a page of them, mostly of a span of time."""

from pydantic import BaseModel, ConfigDict, Field

from dashboards.api.cursors import MAX_LENGTH
from dashboards.api.series import SpanQuery

MAX_ROWS = 1000
MOST_LISTED = 10_000
"""Rows of a span that are looked through for a page."""


class PageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=MAX_ROWS, description="Most entries of a page.")
    cursor: str | None = Field(None, max_length=MAX_LENGTH, description="`next_cursor` of the page before; empty: the first.")


class ListQuery(SpanQuery, PageQuery):
    def span(self) -> dict[str, str]:
        """What names the span, by the names of the address."""
        return {name: value for name, value in self.parameters().items() if name in ("from", "to", "last")}
