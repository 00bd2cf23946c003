"""What the address of the explore page asks for, and where each value of a dimension leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.durations import parse_duration
from core.record import DIMENSIONS
from core.series import METRICS, Selector
from dashboards.selection import read_selector
from dashboards.window import BadWindow, Window, link, read_window, step_for

PATH = "/explore"
DEFAULT_LAST = "6h"
DEFAULT_METRIC = "tps"
DEFAULT_BY = "service"
NOTHING = "none"
TOPS: tuple[str, ...] = ("5", "10", "20")
COMPARED: dict[str, str] = {"1d": "the day before", "7d": "the week before"}
RANKS: dict[str, str] = {"value": "highest value"}
POINTS = 1000
"""Most points of a line: about the pixels that a wide screen gives it."""

_SECONDS = timedelta(seconds=1000)
_MINUTES = timedelta(days=4)
_BY_SECOND = frozenset({"tps", "error_rate", "rate_limited_rate", "concurrency"})
_NEXT = {
    "service": "route", "route": "gateway", "gateway": "service", "tenant": "service", "provider": "model", "model": "account",
    "account": "model", "upstream": "model", "requested_model": "model", "region": "gateway", "kind": "service",
    "method": "route", "error_type": "service",
}  # fmt: skip
"""What is split by next, once a value of a dimension was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One view of the page.

    Attributes
    ----------
    by : tuple of str
        One or two dimensions, or none.
    before : timedelta or None
        How much earlier the time lies that is compared with.
    by_value : bool
        Whether the highest values of the metric are shown instead of the busiest combinations.
    """

    window: Window
    selector: Selector
    metric: str
    by: tuple[str, ...]
    top: int
    before: timedelta | None
    by_value: bool
    query: Mapping[str, str] = field(hash=False, compare=False)

    @property
    def unit(self) -> str:
        return METRICS[self.metric].unit

    def narrowed(self, values: Sequence[str]) -> str:
        """The address of the same view of one combination, split further; empty for what no filter can name."""
        if not all(values):
            return ""
        chosen = dict(zip(self.by, values, strict=True))
        query = {name: value for name, value in self.query.items() if name not in ("by", "and")} | chosen
        taken = {*self.selector.dimensions, *self.by}
        query["by"] = next((name for name in map(_NEXT.get, self.by[::-1]) if name and name not in taken), NOTHING)
        return link(PATH, query)

    def calls(self, values: Sequence[str] = ()) -> str:
        """The address of the single calls of a combination in this window."""
        labels = {**self.selector.labels, **dict(zip(self.by, values, strict=False))}
        return link("/calls", {**self.window.query, **{name: value for name, value in labels.items() if value}})

    def file(self, part: str) -> str:
        """Where a part of the page is had as CSV."""
        return link(f"{PATH}/files/{part}", self.query)


def read_asked(query: Mapping[str, str], now: datetime) -> Asked:
    """What `query` asks for. Raises BadWindow, which names the parameter."""
    metric = _one_of("metric", query.get("metric", DEFAULT_METRIC), METRICS)
    names = [query.get("by", DEFAULT_BY), query.get("and", NOTHING)]
    by = tuple(dict.fromkeys(_one_of("by", name, DIMENSIONS) for name in names if name != NOTHING))
    before = query.get("compare")
    whole = read_window(query, now, DEFAULT_LAST)
    return Asked(
        window=read_window(query, now, DEFAULT_LAST, _step(whole.last or whole.end - whole.start, metric)),
        selector=read_selector(query),
        metric=metric,
        by=by,
        top=int(_one_of("top", query.get("top", TOPS[0]), TOPS)),
        before=None if before is None else parse_duration(_one_of("compare", before, COMPARED)),
        by_value=_one_of("rank", query.get("rank", "calls"), ("calls", *RANKS)) in RANKS,
        query=dict(query),
    )


def _step(span: timedelta, metric: str) -> int:
    """Seconds where they are kept and fit, then minutes, then hours: what the rollups are made of."""
    if span <= _SECONDS and metric in _BY_SECOND:
        return 1
    return max(step_for(span, POINTS), 3600 if span >= _MINUTES else 60)


def _one_of(parameter: str, text: str, known: Sequence[str] | Mapping[str, object]) -> str:
    if text not in known:
        raise BadWindow(parameter, f"{text[:40]!r} is none; choose from {', '.join(known)}")
    return text
