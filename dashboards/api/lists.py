"""What the addresses of lists have in common: a span of time, a page of it."""

from pydantic import Field

from dashboards.api.cursors import MAX_LENGTH
from dashboards.api.series import SpanQuery

MAX_ROWS = 1000
MOST_LISTED = 10_000
"""Rows of a span that are looked through for a page."""


class ListQuery(SpanQuery):
    limit: int = Field(100, ge=1, le=MAX_ROWS, description="Most entries of a page.")
    cursor: str | None = Field(None, max_length=MAX_LENGTH, description="`next_cursor` of the page before; empty: the first.")

    def span(self) -> dict[str, str]:
        """What names the span, by the names of the address."""
        return {name: value for name, value in self.parameters().items() if name in ("from", "to", "last")}
