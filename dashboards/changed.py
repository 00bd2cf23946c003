"""Changes, noted and found, as marks of charts."""

from datetime import datetime, timedelta

from core.series import Selector
from dashboards import queries
from dashboards.context import Web
from dashboards.selection import overlaps
from render.parts import Mark, MarkKind

MAX_MARKS = 40
_MINUTE = timedelta(minutes=1)


def change_marks(web: Web, start: datetime, end: datetime, selector: Selector) -> list[Mark]:
    """Marks of the changes that calls of a selection may have met, newest first."""
    found = [one for one in queries.changes_in(web, start, end) if overlaps(selector, one.selector)]
    return [Mark(start=one.at, end=one.at + _MINUTE, text=one.words, kind=MarkKind.MADE) for one in found[:MAX_MARKS]]
