"""Spans that charts mark as quiet: what people said of them, silences, and windows of maintenance that recur."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from core.maintenance import windows_between
from core.masks import Mask
from core.record import DIMENSIONS
from core.series import Selector
from core.types import Silence
from dashboards import queries
from dashboards.context import Web
from dashboards.selection import overlaps
from render.parts import Mark, MarkKind

MAX_MARKS = 40


def quiet_marks(web: Web, start: datetime, end: datetime, selector: Selector) -> list[Mark]:
    """Marks of the spans that may concern a selection, newest first."""
    masks = [of_mask(one) for one in queries.masks_in(web, start, end) if overlaps(selector, one.selector)]
    silences = [one for one in queries.silences_in(web, start, end) if may_concern(one.match, selector)]
    found = [*masks, *(of_silence(one) for one in [*silences, *_recurring(web, start, end, selector)])]
    return sorted(found, key=lambda mark: mark.start, reverse=True)[:MAX_MARKS]


def may_concern(match: Mapping[str, str], selector: Selector) -> bool:
    """Whether an incident of the selection may be meant: no label asks for another value; expressions may mean any."""
    chosen = selector.labels
    asked = {name: value for name, value in match.items() if name in DIMENSIONS and not value.startswith("~")}
    return all(chosen.get(name, value) == value for name, value in asked.items())


def of_mask(mask: Mask) -> Mark:
    text = f"{mask.kind.value.capitalize()}, {mask.selector.words}: {mask.why} ({mask.who})"
    return Mark(start=mask.start, end=mask.end, text=text, kind=MarkKind.QUIET)


def of_silence(silence: Silence) -> Mark:
    what = ", ".join(f"{name} {value}" for name, value in sorted(silence.match.items())) or "everything"
    why = f": {silence.comment}" if silence.comment else ""
    by = f" ({silence.created_by})" if silence.created_by else ""
    return Mark(start=silence.starts_at, end=silence.ends_at, text=f"Silence of {what}{why}{by}", kind=MarkKind.QUIET)


def _recurring(web: Web, start: datetime, end: datetime, selector: Selector) -> Iterable[Silence]:
    for entry in web.settings.silences:
        if may_concern(entry.match, selector):
            yield from windows_between(entry, start, end, web.in_zone("").zone)[-MAX_MARKS:]
