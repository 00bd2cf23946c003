"""A review as one HTML page that needs nothing else and prints well: no script, its chart is SVG."""

import html
import math
from collections.abc import Sequence

from core.capacity import ServingCost
from core.recommendations import Recommendation
from core.reviews import Compared, Kept, Review, ReviewedIncident, Trend
from core.series import METRICS
from render.review_words import incidents_words
from render.theme import LIGHT
from render.units import UNKNOWN, format_range, format_value

_STYLE = f"""
body {{ font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: {LIGHT.text}; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.6rem; margin: 0 0 .2rem }} h2 {{ font-size: 1.1rem; margin: 1.8rem 0 .4rem }}
p.note {{ color: {LIGHT.muted}; margin: .2rem 0 1rem }} table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid {LIGHT.grid}; vertical-align: top }}
th {{ font-weight: 600; color: {LIGHT.muted} }} td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums }}
.bad {{ color: {LIGHT.anomaly} }} .good {{ color: {LIGHT.series[1]} }} svg {{ width: 100%; height: auto }}
@media print {{ body {{ margin: 0; max-width: none; font-size: 11px }}
  h2 {{ break-after: avoid }} tr {{ break-inside: avoid }} }}
"""
_WIDE, _HIGH = 900, 170


def review_html(review: Review) -> bytes:
    """The page, UTF-8."""
    title = f"Performance review: {review.kind} to {review.end:%Y-%m-%d}"
    spans = f"{review.start:%Y-%m-%d} to {review.end:%Y-%m-%d} beside {review.before:%Y-%m-%d} to {review.start:%Y-%m-%d}, UTC"
    parts = [
        f"<h1>{html.escape(title)}</h1><p class=note>{spans}</p>",
        _section("In short", _compared(review.totals, selection=False)),
        _section("Calls a second, by day", _chart(review)),
        _section("Objectives", _objectives(review.objectives)),
        _section("Worse than before", _compared(review.worse, causes=review.causes)),
        _section("Better than before", _compared(review.better)),
        _section("Rising for four weeks (Mann–Kendall, Sen's slope)", _trends(review.trends)),
        _section("Slowest: P95 by route, tenant, model", _compared(review.slowest)),
        _section("Costliest by route, tenant, model", _compared(review.costliest)),
        _section("Capacity", _list([one.words for one in review.limits], "No limit is configured or measured.")),
        _section("Cost outlook", _list([_cost(one) for one in review.costs], "No cost is forecast.")),
        _section(f"Incidents: {incidents_words(review.incidents)}", _incidents(review.incidents)),
        _section("Recommendations, and what became of them", _recommendations(review.recommendations)),
    ]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    return (head + "".join(parts) + "</html>\n").encode()


def _section(title: str, body: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>{body}</section>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> str:
    """Cells are HTML; the last `numbers` columns are set to the right."""
    if not rows:
        return "<p class=note>Nothing.</p>"
    first = len(heads) - numbers

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{' class=n' if place >= first else ''}>{cell}</{tag}>" for place, cell in enumerate(cells))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{line(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def _compared(found: Sequence[Compared], *, selection: bool = True, causes: Sequence[str] = ()) -> str:
    rows = []
    for place, one in enumerate(found):
        metric = METRICS[one.metric]
        where = [html.escape(one.selector.words)] if selection else []
        if causes:
            where.append(html.escape(_short(causes[place]) or "no anomaly was found of it"))
        values = [format_value(value, metric.unit) for value in (one.before, one.value)]
        rows.append([html.escape(metric.title), *where, *values, _change(one)])
    heads = ["metric", *(["of"] if selection else []), *(["what anomalies say"] if causes else []), "before", "now", "change"]
    return _table(heads, rows, 3)


def _change(one: Compared) -> str:
    if not math.isfinite(one.change):
        return ""
    bad = METRICS[one.metric].bad
    worse = (bad == "high" and one.change > 0.02) or (bad == "low" and one.change < -0.02)
    better = (bad == "high" and one.change < -0.02) or (bad == "low" and one.change > 0.02)
    name = "bad" if worse else "good" if better else ""
    return f"<span class='{name}'>{100 * one.change:+.1f} %</span>"


def _objectives(found: Sequence[Kept]) -> str:
    rows = []
    for one in found:
        unit = METRICS[one.metric].unit
        kept = "<span class=good>kept</span>" if one.kept else "<span class=bad>missed</span>"
        left = f"{one.budget_left:.0%} left" if math.isfinite(one.budget_left) else ""
        rows.append([html.escape(one.name), kept, left, format_value(one.target, unit), format_value(one.value, unit)])
    return _table(["objective", "", "error budget", "target", "value"], rows, 2)


def _trends(found: Sequence[Trend]) -> str:
    rows = [
        [
            html.escape(METRICS[one.metric].title),
            html.escape(one.selector.words),
            format_value(one.first, METRICS[one.metric].unit),
            format_value(one.last, METRICS[one.metric].unit),
            f"{100 * one.growth:+.1f} % in {one.days} days",
            f"{one.p_value:.2g}",
        ]
        for one in found
    ]
    return _table(["metric", "of", "first day", "last day", "trend", "p"], rows, 4)


def _incidents(found: Sequence[ReviewedIncident]) -> str:
    rows = [
        [
            f"{one.started_at:%Y-%m-%d %H:%M}",
            html.escape(one.title),
            one.severity,
            _minutes(one.detected_s),
            _minutes(one.lasted_s),
        ]
        for one in found
    ]
    return _table(["began", "incident", "severity", "told after", "lasted"], rows, 2)


def _recommendations(found: Sequence[Recommendation]) -> str:
    rows = []
    for one in found:
        came = str(one.outcome.verdict) if one.outcome else ""
        words = f"{one.state}{': ' + one.why if one.why else ''}"
        finding = one.finding
        rows.append([html.escape(finding.action), html.escape(words), came, f"{finding.gain:.1%} of {finding.gain_of}"])
    return _table(["recommendation", "state", "prediction", "gain"], rows, 1)


def _cost(one: ServingCost) -> str:
    """What serving the forecast costs."""
    spent = format_range(one.calls_usd.lower, one.calls_usd.upper, "USD")
    instances = f", instances {format_value(one.instances_usd, 'USD')}" if one.instances_usd else ""
    return f"{one.selector.words}, {one.first:%Y-%m-%d} to {one.until:%Y-%m-%d}: calls {spent}{instances}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"


def _list(lines: Sequence[str], none: str) -> str:
    if not lines:
        return f"<p class=note>{none}</p>"
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if math.isfinite(seconds) else UNKNOWN


def _chart(review: Review) -> str:
    """Bars of days; those of the period are dark."""
    known = [value for _, value in review.days if math.isfinite(value)]
    if not known:
        return "<p class=note>Nothing is known.</p>"
    most, wide = max(max(known), 1e-9), _WIDE / len(review.days)
    bars = []
    for place, (day, value) in enumerate(review.days):
        if not math.isfinite(value):
            continue
        high = value / most * (_HIGH - 40)
        colour = LIGHT.series[0] if day >= review.start else LIGHT.axis
        x, y = place * wide + wide * 0.1, _HIGH - 20 - high
        title = f"<title>{day:%Y-%m-%d}: {format_value(value, 'calls/s')}</title>"
        bars.append(f"<rect x={x:.1f} y={y:.1f} width={wide * 0.8:.1f} height={high:.1f} fill='{colour}'>{title}</rect>")
        if len(review.days) <= 14 or place % 7 == 0:
            at = f"x={place * wide + wide / 2:.1f} y={_HIGH - 5}"
            bars.append(f"<text {at} font-size=11 text-anchor=middle fill='{LIGHT.muted}'>{day:%d %b}</text>")
    top = f"<text x=0 y=12 font-size=11 fill='{LIGHT.muted}'>up to {format_value(most, 'calls/s')}</text>"
    return f"<svg viewBox='0 0 {_WIDE} {_HIGH}' role=img aria-label='calls a second by day'>{top}{''.join(bars)}</svg>"
