"""The recommendations page: layout, and the HTML of what `dashboards.recommended` has read."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.recommendations import Effect, Recommendation, RecommendationState, Verdict
from dashboards.pages.acting import dialog, on_recommendation
from dashboards.pages.controls import updated
from dashboards.pages.shell import with_query
from dashboards.pages.words import extra, facts, notice, tile, tile_value, when
from dashboards.recommended import RecommendedData
from render.units import format_number, format_value

PATH = "/recommendations"

_STATES = {
    "": "Open and accepted",
    "open": "Open",
    "accepted": "Accepted",
    "dismissed": "Dismissed",
    "gone": "Found no more",
}
_BADGES = {
    RecommendationState.OPEN: ("Open", "info"),
    RecommendationState.ACCEPTED: ("Accepted", "resolved"),
    RecommendationState.DISMISSED: ("Dismissed", "quiet"),
    RecommendationState.GONE: ("Found no more", "quiet"),
}
_VERDICTS = {
    Verdict.KEPT: ("✓ as predicted", "good"),
    Verdict.PARTLY: ("◐ in part", "warn"),
    Verdict.NOT_KEPT: ("✕ not as predicted", "bad"),
}
_MEASURES = {
    "cost_per_call": "Cost of a call",
    "mean_latency": "Waiting for a call, on average",
    "overhead": "The gateway's own part of a call",
    "rejected_rate": "Refused calls",
    "rejected_rate_of_others": "Refused calls of everybody else",
    "retries_per_call": "Retries of a call",
    "limit": "The limit",
    "objective": "The target",
}

_SUMS = ("cost", "waiting", "refused calls", "retries")
"""What gains are shares of all of."""


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div([html.H1("Recommendations"), html.Div(id="recommendations-span", className="muted")], className="heading"),
            html.Div(notice("Loading …"), id="recommendations-body"),
            dialog(),
        ]
    )


def body(data: RecommendedData, zone: ZoneInfo) -> list[Any]:
    """The states to choose from, and the recommendations of the chosen one, the largest gain first."""
    cards = [_card(one, zone) for one in data.found]
    return [_choice(data), *(cards or [html.Section([notice(*_nothing(data))], className="panel")])]


def summary(data: RecommendedData, zone: ZoneInfo, now: datetime) -> list[Any]:
    looked: list[Any] = ["not looked yet"] if data.looked_at is None else ["looked ", when(data.looked_at, zone)]
    return [html.Span(looked), *updated(zone, now)]


def _choice(data: RecommendedData) -> Any:
    links = [
        dcc.Link(
            f"{words} ({data.counts[name]:,})",
            href=with_query(PATH, {"state": name} if name else {}),
            className="segment open" if name == data.state else "segment",
        )
        for name, words in _STATES.items()
    ]
    return html.Div(html.Nav(links, className="segments wrap", **extra(aria_label="State")), className="controls")


def _nothing(data: RecommendedData) -> list[Any]:
    if not data.enabled:
        return ["Nothing is looked for: ", html.Code("recommendations.enabled"), " is false in the configuration."]
    if data.looked_at is None:
        return [
            "The calls have not been looked through yet. That is done once a day; ",
            html.Code("tpscope recommend list --now"), " does it at once.",
        ]  # fmt: skip
    if data.state in ("", "open"):
        return ["Nothing to recommend: in the latest calls no rule found enough to gain."]
    return ["There is none in this state."]


def _card(one: Recommendation, zone: ZoneInfo) -> Any:
    finding = one.finding
    words, tone = _BADGES[one.state]
    return html.Section(
        [
            html.Div(
                [
                    html.H2(dcc.Link(finding.action, href=with_query(PATH, {"recommendation": one.id}))),
                    html.Span(words, className=f"badge badge-{tone}"),
                ],
                className="heading",
            ),
            html.Div(_tiles(one), className="tiles"),
            html.H3("What the calls show"),
            html.Ul([html.Li(words) for words in finding.evidence]),
            facts(_facts(one, zone)),
            *on_recommendation(one),
        ],
        className="panel",
        id=f"recommendation-{one.id}",
    )


def _tiles(one: Recommendation) -> list[Any]:
    finding, effect = one.finding, one.finding.effect
    after, unit = _figure(effect, effect.after)
    tiles = [
        tile("Would save", tile_value(f"{finding.gain:.1%}".replace("%", " %")), _of_what(finding.gain_of)),
        tile(_MEASURES.get(effect.measure, effect.measure), tile_value(after, unit), _from(effect)),
        tile("Confidence", tile_value(f"{finding.confidence:.0%}".replace("%", " %")), "how little its range leaves open"),
    ]
    if one.outcome is not None:
        words, tone = _VERDICTS[one.outcome.verdict]
        number, unit = _figure(effect, one.outcome.measured)
        value = [tile_value(number, unit), html.Span(words, className=f"verdict verdict-{tone}")]
        tiles.append(tile("Measured since", html.Div(value), f"over {one.outcome.calls:,} calls"))
    return tiles


def _of_what(gain_of: str) -> str:
    """A share of everything, or the words of the rule where it is a share of something else."""
    return f"of all {gain_of}" if gain_of in _SUMS else gain_of


def _from(effect: Effect) -> str:
    """`instead of 1.9 s; 90 % of outcomes 1.2 to 1.5 s`."""
    words = f"instead of {_told(effect, effect.before)}"
    if not (math.isfinite(effect.lower) and math.isfinite(effect.upper)):
        return words
    return f"{words}; in 9 of 10 cases {_told(effect, effect.lower)} to {_told(effect, effect.upper)}"


def _figure(effect: Effect, value: float) -> tuple[str, str]:
    number, _, unit = _told(effect, value).partition(" ")
    return number, unit


def _told(effect: Effect, value: float) -> str:
    if effect.unit in ("ms", "1", "USD"):
        return format_value(value, effect.unit)
    return f"{format_number(value)} {effect.unit.replace('_', ' ')}".strip()


def _facts(one: Recommendation, zone: ZoneInfo) -> Sequence[tuple[str, Any]]:
    finding = one.finding
    found: list[tuple[str, Any]] = [
        ("how to verify", finding.verify),
        ("about", finding.effect.scope.words),
        ("calls of", [when(one.start, zone), " to ", when(one.end, zone)]),
        ("rule", html.Code(finding.rule)),
    ]
    if one.decided_at is not None:
        said = f" by {one.who}" if one.who else ""
        found.append((str(one.state), [when(one.decided_at, zone), said]))
    if one.why:
        found.append(("why", one.why))
    if one.outcome is not None:
        found.append(("measured until", when(one.outcome.checked_at, zone)))
    elif one.state is RecommendationState.ACCEPTED:
        found.append(("what came of it", "Measured from six hours after it was accepted, daily for two weeks."))
    return found
