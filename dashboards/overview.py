"""What the overview page shows for one query of its address: read, judged and drawn, before any HTML."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import TpscopeError
from core.series import METRICS, Direction, Selector
from core.types import Anomaly, Incident
from dashboards import queries
from dashboards.catalogue import CHARTS, TILES, Tile
from dashboards.changed import change_marks
from dashboards.comparing import Comparison, read_comparison
from dashboards.context import Web
from dashboards.look import Look
from dashboards.marking import concerns, incident_marks
from dashboards.overview_cards import CardData, Shown, card_of
from dashboards.queries import Freshness
from dashboards.quiet import quiet_marks
from dashboards.selection import overlaps, read_selector
from dashboards.window import Window, read_long_window
from render.units import UNKNOWN, format_number, format_span, scale_for
from storage.asking import unfinished

logger = logging.getLogger(__name__)

DEFAULT_LAST = "6h"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileData:
    """One number: `tone` is `good`, `bad` or `quiet`; `verdict` says the same in words."""

    tile: Tile
    value: str
    unit: str
    verdict: str
    expected: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewData:
    """Everything on the page."""

    window: Window
    selector: Selector
    freshness: Freshness
    cards: tuple[CardData, ...]
    tiles: tuple[TileData, ...]
    firing: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    generated: bool
    comparison: Comparison | None = None


def load_overview(web: Web, query: Mapping[str, str], look: Look) -> OverviewData:
    """Read and draw the page. Raises BadWindow for a bad address, and what the store raises when nothing can be read."""
    window = read_long_window(query, web.now(), DEFAULT_LAST)
    selector = read_selector(query)
    fresh = queries.freshness(web)
    found = [one for one in queries.anomalies_in(web, window.start, window.end) if overlaps(selector, one.selector)]
    shown = Shown(
        window=window,
        selector=selector,
        fresh=fresh,
        anomalies=found,
        incidents=incident_marks(web, window, selector),
        quiet=[
            *quiet_marks(web, window.start, window.end, selector),
            *change_marks(web, window.start, window.end, selector),
        ],
        comparison=read_comparison(web, query, selector),
        look=look,
        revision=f"{sorted(query.items())}",
    )
    cards = web.each(lambda chart: card_of(web, chart, shown), CHARTS)
    tiles = web.each(lambda tile: _tile(web, tile, selector, fresh), TILES)
    return OverviewData(
        window=window,
        selector=selector,
        freshness=fresh,
        cards=tuple(cards),
        tiles=tuple(tiles),
        firing=tuple(one for one in queries.firing_incidents(web) if concerns(one, selector)),
        anomalies=tuple(found),
        generated=queries.has_generated(web, window.start, window.end),
        comparison=shown.comparison,
    )


def _tile(web: Web, tile: Tile, selector: Selector, fresh: Freshness) -> TileData:
    """The metric's last whole minute against its expected range."""
    if fresh.complete_until is None:
        return _silent(tile, "no calls yet")
    metric = METRICS[tile.metric]
    try:
        known = queries.recent_minutes(web, tile.metric, selector, fresh.complete_until).dropna(subset="value").tail(1)
        expected = None if known.empty else queries.expected_frame(web, tile.metric, selector, known["ts"], 60)
    except TpscopeError as error:
        unfinished()
        logger.warning("tile could not be read", extra={"metric": tile.metric, "error": str(error)})
        return _silent(tile, "the store did not answer")
    if known.empty:
        return _silent(tile, "not reported lately")
    value = float(known["value"].iloc[0])
    scale = scale_for(metric.unit, value)
    number = format_number(value * scale.factor)
    if expected is None or expected[["lower", "upper"]].isna().any(axis=None):
        return TileData(tile=tile, value=number, unit=scale.label, verdict=_unjudged(web), expected="", tone="quiet")
    lower, upper = float(expected["lower"].iloc[0]), float(expected["upper"].iloc[0])
    verdict, tone = judge(value, lower, upper, metric.bad)
    words = f"{format_number(lower * scale.factor)} to {format_number(upper * scale.factor)}"
    return TileData(tile=tile, value=number, unit=scale.label, verdict=verdict, expected=words, tone=tone)


def _unjudged(web: Web) -> str:
    return "learning what is normal" if queries.latest_baseline(web) is None else "no expected range"


def _silent(tile: Tile, why: str) -> TileData:
    return TileData(tile=tile, value=UNKNOWN, unit="", verdict=why, expected="", tone="quiet")


def judge(value: float, lower: float, upper: float, bad: Direction) -> tuple[str, str]:
    """Where a value lies against its expected range, in words, and whether that is bad news."""
    if value > upper:
        return "above", "quiet" if bad == Direction.LOW else "bad"
    if value < lower:
        return "below", "quiet" if bad == Direction.HIGH else "bad"
    return "as expected", "good"


def since(moment: datetime, now: datetime) -> str:
    """`20 s ago`; `now` for what lies ahead or is less than a second away."""
    passed = now - moment
    return "now" if passed < timedelta(seconds=1) else f"{format_span(passed)} ago"
