"""A review as one HTML page that stands alone and prints well: no script, its chart is SVG, marks are shapes and words."""

import html
import math
from collections.abc import Sequence

from core.recommendations import Recommendation, RecommendationState
from core.reviews import Cause, Compared, Kept, Review, ReviewedIncident, Trend
from core.series import METRICS
from render.review_chart import days_chart
from render.review_style import STYLE
from render.review_words import (
    amount_words,
    cause_words,
    change_words,
    conclusions,
    cost_words,
    incidents_words,
    is_news,
    local,
    review_title,
    span_words,
    title_of,
)
from render.units import format_range, format_value

_MOST_INCIDENTS = 15
_MOST_RECOMMENDATIONS = 10
_MOST_LIMITS = 8
_SEVERITIES = ("critical", "warning", "info")
_NONE = "Nothing got {} by a tenth or more."
_NOTHING = "<p class=note>Nothing.</p>"
_STATES = {
    RecommendationState.OPEN: "open",
    RecommendationState.ACCEPTED: "accepted",
    RecommendationState.DISMISSED: "dismissed",
    RecommendationState.GONE: "no longer seen",
}
_OUTCOMES = {"kept": "brought what was promised", "partly": "brought a part of it", "not kept": "did not bring it"}


def review_html(made: Review, public_url: str = "") -> bytes:
    """The page, UTF-8. Incidents are links where `public_url` says under which address people reach the service."""
    title = review_title(made)
    period = made.period
    against = f"beside the {period.kind} before" if made.comparable else f"without a {period.kind} before"
    note = f"{against} · days of {period.zone} · made {local(made.made_at, made, '%Y-%m-%d %H:%M')} · tpscope"
    parts = [
        f"<header><h1>{html.escape(title)}</h1><p class=note>{html.escape(note)}</p></header>",
        f"<section class=short><h2>In short</h2>{_list(conclusions(made))}</section>",
        _tiles(made),
        _section("Traffic by day, mean calls a second", days_chart(made)),
        _section("Objectives and error budgets", _objectives(made.objectives)),
        _section("What got worse, and why", _moved(made, made.worse, made.worse_causes, _NONE.format("worse"))),
        _section("What got better", _moved(made, made.better, made.better_causes, _NONE.format("better"))),
        _section("Rising for weeks", _trends(made.trends)),
        _section(f"Incidents: {incidents_words(made)}", _incidents(made, public_url)),
        _section("Slowest: the P95 of routes, tenants and models", _ranked(made, made.slowest)),
        _section(f"Costliest routes, tenants and models, USD in the {period.kind}", _ranked(made, made.costliest)),
        _section("Capacity ahead", _list(_limits(made), "No limit is configured or measured.")),
        _section("Cost ahead", _list([cost_words(one) for one in made.costs], "No cost is forecast.")),
        _section("Recommendations, and what became of them", _recommendations(made.recommendations)),
        f"<footer><p class=note>{_FOOT}</p></footer>",
    ]
    head = (
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport "
        f"content='width=device-width, initial-scale=1'><title>{html.escape(title)}</title><style>{STYLE}</style></head>"
    )
    return f"{head}<body><main>{''.join(parts)}</main></body></html>\n".encode()


_FOOT = (
    "Worse and better: selections with at least 200 calls in both periods that changed by a tenth or more. Rising: Mann and "
    "Kendall's test on daily values at 1 %, growth by Sen's slope. Causes are what coincides in time and place, no proof."
)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>{body or _NOTHING}</section>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: int, none: str = "Nothing.") -> str:
    """Cells are HTML; the last `numbers` columns are set to the right. Each cell knows its head, for narrow screens."""
    if not rows:
        return f"<p class=note>{html.escape(none)}</p>"
    first = len(heads) - numbers

    def name(place: int) -> str:
        return " class=n" if place >= first else ""

    top = "".join(f"<th{name(place)}>{html.escape(head)}</th>" for place, head in enumerate(heads))
    lines = "".join(
        "<tr>" + "".join(f"<td{name(place)} data-head='{heads[place]}'>{cell}</td>" for place, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _tiles(made: Review) -> str:
    shown = [one for one in made.totals if one.metric not in ("latency_p50", "latency_p99")]
    tiles = []
    for one in shown:
        before = f"<small>before {amount_words(one, one.before, made)}</small>" if math.isfinite(one.before) else ""
        value = amount_words(one, one.value, made)
        tiles.append(f"<div><span>{title_of(one.metric)}</span><b>{value}</b>{_change(one)}{before}</div>")
    return f"<section class=tiles>{''.join(tiles)}</section>" if tiles else ""


def _moved(made: Review, found: Sequence[Compared], causes: Sequence[Cause], none: str) -> str:
    rows = [
        [
            f"<b>{html.escape(one.selector.words)}</b><br>{title_of(one.metric)}",
            _causes(cause_words(cause, one, made)),
            amount_words(one, one.before, made),
            amount_words(one, one.value, made),
            _change(one),
        ]
        for one, cause in zip(found, causes, strict=True)
    ]
    return _table(["what", "why", "before", "now", "change"], rows, 3, none if made.comparable else "There is nothing before.")


def _causes(words: Sequence[str]) -> str:
    if not words:
        return "<span class=note>spread over its parts; no change, incident or anomaly of it is known</span>"
    return "<br>".join(html.escape(_short(one)) for one in words)


def _change(one: Compared) -> str:
    """With a mark that reads without colour: ▲ and ▼ say the way, the word whether that is bad."""
    if not math.isfinite(one.change):
        return "<span class=note>new</span>" if one.calls and not one.calls_before else ""
    words = change_words(one)
    if not is_news(one):
        return f"<span>{words}</span>"
    up, bad = one.change > 0, METRICS[one.metric].bad
    judged = bad in ("high", "low") and one.metric not in ("tps", "tokens_per_s")
    name, word = ("", "") if not judged else ("bad", " worse") if up == (bad == "high") else ("good", " better")
    return f"<span class='{name}'>{'▲' if up else '▼'} {words}{word}</span>"


def _objectives(found: Sequence[Kept]) -> str:
    rows = []
    for one in sorted(found, key=lambda one: (one.kept is not False, one.name)):
        unit = METRICS[one.metric].unit
        kept = {True: "<span class=good>✓ kept</span>", False: "<span class=bad>✗ missed</span>", None: "no data"}[one.kept]
        left = _budget(one.budget_left)
        bound = "≥" if one.at_least else "≤"
        values = [f"{bound} {format_value(one.target, unit)}", format_value(one.before, unit), format_value(one.value, unit)]
        rows.append([html.escape(one.name), kept, left, *values])
    heads = ["objective", "in this period", "error budget left", "target", "before", "now"]
    return _table(heads, rows, 4, "No objective is configured.")


def _budget(left: float) -> str:
    if not math.isfinite(left):
        return "<span class=note>has none</span>"
    return f"{left:.0%}" if left >= 0 else f"<span class=bad>used {1.0 - left:.1f} times over</span>"


def _trends(found: Sequence[Trend]) -> str:
    rows = [
        [
            html.escape(one.selector.words),
            title_of(one.metric),
            str(one.days),
            f"<span class=bad>▲ {100 * one.growth:+.0f} %</span>",
            f"{one.p_value:.1g}" if one.p_value >= 1e-4 else "&lt; 0.0001",
        ]
        for one in found
    ]
    none = "No service's P95, error rate or cost has risen steadily (eight days of calls are needed to say so)."
    return _table(["what", "metric", "days", "growth over them", "p-value"], rows, 3, none)


def _incidents(made: Review, public_url: str) -> str:
    worst = sorted(made.incidents, key=_gravity)[:_MOST_INCIDENTS]
    rows = []
    for one in worst:
        title = html.escape(one.title)
        if public_url:
            title = f"<a href='{html.escape(public_url.rstrip('/'))}/incidents?incident={html.escape(one.id)}'>{title}</a>"
        cause = f"<br><small>cause: {html.escape(one.cause)}</small>" if one.cause else ""
        spans = [span_words(value) for value in (one.detected_s, one.acknowledged_s, one.lasted_s)]
        rows.append([local(one.started_at, made), f"{title}{cause}", one.severity, *spans])
    more = len(made.incidents) - len(worst)
    rest = f"<p class=note>and {more} more, less severe or shorter</p>" if more else ""
    heads = ["began", "incident", "severity", "told after", "acknowledged after", "lasted"]
    return _table(heads, rows, 3, f"There was none in this {made.period.kind}.") + rest


def _gravity(one: ReviewedIncident) -> tuple[int, float, str]:
    place = _SEVERITIES.index(one.severity) if one.severity in _SEVERITIES else len(_SEVERITIES)
    return place, -one.lasted_s if math.isfinite(one.lasted_s) else -math.inf, one.id


def _ranked(made: Review, found: Sequence[Compared]) -> str:
    rows = [
        [
            html.escape(one.selector.words),
            f"{one.calls:,}",
            amount_words(one, one.before, made) if math.isfinite(one.before) else "—",
            amount_words(one, one.value, made),
            _change(one),
        ]
        for one in found
    ]
    return _table(["what", "calls", "before", "now", "change"], rows, 4)


def _limits(made: Review) -> list[str]:
    lines = [one.words for one in made.limits[:_MOST_LIMITS]]
    more = len(made.limits) - len(lines)
    return [*lines, f"and {more} more limits, which are farther away"] if more > 0 else lines


def _recommendations(found: Sequence[Recommendation]) -> str:
    rows = []
    for one in found[:_MOST_RECOMMENDATIONS]:
        finding = one.finding
        effect = finding.effect
        state = _STATES[one.state] + (f" by {html.escape(one.who)}" if one.who else "")
        why = f": {html.escape(one.why)}" if one.why else ""
        came = f"<br>{_OUTCOMES[str(one.outcome.verdict)]}" if one.outcome else ""
        promised = format_value(effect.after, effect.unit)
        range_ = format_range(effect.lower, effect.upper, effect.unit)
        told = f"{format_value(effect.before, effect.unit)} → {promised}<br><small>90 %: {range_}</small>"
        rows.append([html.escape(finding.action), f"{state}{why}{came}", told, finding.gain_words])
    more = len(found) - len(rows)
    rest = f"<p class=note>and {more} more of less gain</p>" if more > 0 else ""
    return _table(["what to do", "state", "predicted", "gain"], rows, 2, "None is open, none was decided.") + rest


def _short(text: str) -> str:
    return text if len(text) <= 260 else text[:259] + "…"


def _list(lines: Sequence[str], none: str = "Nothing.") -> str:
    if not lines:
        return f"<p class=note>{html.escape(none)}</p>"
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"
