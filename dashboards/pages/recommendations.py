"""The recommendations page: layout, and the HTML of what `dashboards.recommendations_page` has read."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.recommendations import Effect, Recommendation, RecommendationState, Verdict
from dashboards.pages import acting
from dashboards.pages.controls import updated
from dashboards.pages.options import an_option, option
from dashboards.pages.shell import with_query
from dashboards.pages.words import facts, notice, when
from dashboards.recommendations_page import STATES, RecommendationsData, replay_address
from render.units import format_range, format_value

PATH = "/recommendations"
_MEASURES = {
    "cost_per_call": "Cost of a call",
    "mean_latency": "Mean latency",
    "overhead": "Time in the gateway",
    "rejected_rate": "Share of refused calls",
    "rejected_rate_of_others": "Share of refused calls, of the others",
    "retries_per_call": "Repeats of a call",
    "limit": "Limit",
    "objective": "Objective",
}
_UNITS = {"retries": "", "tps": "calls/s", "calls_per_min": "calls/min", "tokens_per_min": "tokens/min"}
_SET_BY_HAND = ("limit", "objective")
"""What is no figure of calls: nothing of it can be measured afterwards."""
_STATES = {
    RecommendationState.OPEN: ("● open", "badge-info"),
    RecommendationState.ACCEPTED: ("✓ accepted", "badge-resolved"),
    RecommendationState.DISMISSED: ("✕ dismissed", "badge-warning"),
    RecommendationState.GONE: ("○ gone", "badge-warning"),
}
_VERDICTS = {
    Verdict.KEPT: ("✓ the prediction was kept", "good"),
    Verdict.PARTLY: ("● the prediction was kept partly", "quiet"),
    Verdict.NOT_KEPT: ("✕ the prediction was not kept", "bad"),
}


def layout(query: Mapping[str, str]) -> Any:
    """The page before its data."""
    states = [an_option(str(state), str(state)) for state in STATES]
    return html.Div(
        [
            html.Div([html.H1("Recommendations"), html.Div(id="recommendations-span", className="muted")], className="heading"),
            html.P(
                "What could be better, found in the latest calls once a day, ranked by what it would bring. What you accept is "
                "measured against what was predicted.",
                className="prose",
            ),
            html.Div(
                [html.Div([option("state", "state", states, query, "open or accepted")], className="filters")],
                className="controls",
            ),
            acting.dialog(),
            html.Div(notice("Loading …"), id="recommendations-body"),
        ]
    )


def body(data: RecommendationsData, zone: ZoneInfo) -> list[Any]:
    if not data.shown:
        return [notice(*_nothing(data, zone), tone="bad" if data.problem else "quiet")]
    return [_one(place, one, zone) for place, one in enumerate(data.shown, 1)]


def summary(data: RecommendationsData, zone: ZoneInfo, now: datetime) -> list[Any]:
    counted = [f"{count} {state}" for state, count in data.counts.items() if count]
    looked = [html.Span(["looked at ", when(data.looked_at, zone)])] if data.looked_at is not None else []
    return [html.Span(", ".join(counted) or "none"), *looked, *updated(zone, now)]


def _nothing(data: RecommendationsData, zone: ZoneInfo) -> list[Any]:
    if data.problem:
        return [f"The latest calls could not be looked at: {data.problem}"]
    if data.wanted:
        return [f"No recommendation is {data.wanted}."]
    if not data.enabled:
        return ["Nothing is looked for: recommendations.enabled is false in the configuration."]
    if data.looked_at is None:
        return ["The calls have not been looked at yet. That is done soon after the start, and then once a day."]
    return [
        "Nothing is recommended: what was looked at ",
        when(data.looked_at, zone),
        " shows nothing that would bring one percent or more and is sure enough, or holds fewer than 2,000 calls.",
    ]


def _one(place: int, one: Recommendation, zone: ZoneInfo) -> Any:
    finding = one.finding
    words, tone = _STATES[one.state]
    effect = finding.effect
    pairs: list[tuple[str, Any]] = [
        ("Gain", f"{finding.gain:.1%} of {finding.gain_of}" if finding.gain else finding.gain_of),
        (_MEASURES.get(effect.measure, effect.measure), _effect_words(effect)),
        ("Of", effect.scope.words),
        ("Confidence", f"{finding.confidence:.0%}"),
        ("Seen", html.Span([when(one.start, zone), " to ", when(one.end, zone)])),
    ]
    return html.Section(
        [
            html.Div([html.Span(words, className=f"badge {tone}"), html.Span(one.id, className="muted")], className="badges"),
            html.H2(f"{place}. {finding.action}", className="incident-title"),
            facts(pairs),
            html.Ul([html.Li(line) for line in finding.evidence], className="prose"),
            html.P([html.B("To verify: "), finding.verify], className="prose"),
            *_became(one, zone),
            *_replay(one),
            *_deciding(one),
        ],
        className="panel recommendation",
        id=f"recommendation-{one.id}",
    )


def _effect_words(effect: Effect) -> str:
    unit = _UNITS.get(effect.unit, effect.unit)
    change = f"{format_value(effect.before, unit)} → {format_value(effect.after, unit)}"
    if not (math.isfinite(effect.lower) and math.isfinite(effect.upper)):
        return change
    return f"{change} (90 %: {format_range(effect.lower, effect.upper, unit)})"


def _became(one: Recommendation, zone: ZoneInfo) -> list[Any]:
    """Who decided what, and what calls show since."""
    parts: list[Any] = []
    if one.decided_at is not None:
        why = f": {one.why}" if one.why else "."
        parts.append(html.P([f"{str(one.state).capitalize()} by {one.who}, ", when(one.decided_at, zone), why]))
    if one.state is RecommendationState.GONE:
        parts.append(html.P("Nobody decided, and the calls no longer show it.", className="muted"))
    if one.state is not RecommendationState.ACCEPTED:
        return parts
    if one.outcome is not None:
        words, tone = _VERDICTS[one.outcome.verdict]
        unit = _UNITS.get(one.finding.effect.unit, one.finding.effect.unit)
        measured = f"; {format_value(one.outcome.measured, unit)} over {one.outcome.calls:,} calls since, measured "
        parts.append(
            html.P([html.Span(words, className=f"verdict verdict-{tone}"), measured, when(one.outcome.checked_at, zone), "."])
        )
    elif one.finding.effect.measure in _SET_BY_HAND:
        parts.append(html.P("What came of it cannot be measured by itself; see how to verify it.", className="muted"))
    else:
        words = "What came of it is measured six hours after, with 200 calls or more, and daily for two weeks."
        parts.append(html.P(words, className="muted"))
    return parts


def _replay(one: Recommendation) -> list[Any]:
    query = replay_address(one)
    return [html.P(dcc.Link("Replay this, or a variant of it", href=with_query("/what-if", query)))] if query else []


def _deciding(one: Recommendation) -> list[Any]:
    url = f"/api/v1/recommendations/{one.id}/decision"
    accept = acting.button(
        "Accept",
        url,
        {"decision": "accept", "who": acting.WHO, "why": ""},
        "It is done from now on: what comes is measured against what was predicted.",
    )
    dismiss = acting.button(
        "Dismiss",
        url,
        {"decision": "dismiss", "who": acting.WHO, "why": acting.WHY},
        "It is not recommended again.",
        asks=True,
    )
    buttons = {
        RecommendationState.OPEN: [accept, dismiss],
        RecommendationState.ACCEPTED: [dismiss],
        RecommendationState.DISMISSED: [accept],
        RecommendationState.GONE: [],
    }[one.state]
    return [html.Div(buttons, className="acting")] if buttons else []
