"""A review in few words: what a chat gets, and what the page begins with. Each number is one of the review's."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from core.capacity import ServingCost
from core.recommendations import RecommendationState
from core.review_periods import MONTH
from core.reviews import Cause, CauseChange, Compared, Kept, Review, ReviewedIncident, Trend
from core.series import METRICS
from render.units import format_range, format_span, format_value

_LINE = 300
_NEWS = 0.05
_MANY_TIMES = 3.0
_VERDICTS = {
    "regression": "judged a regression",
    "passed": "the comparison before and after it found nothing worse",
    "cannot_judge": "too few calls around it to judge it alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortReview:
    """What a message is made of.

    Attributes
    ----------
    facts : tuple of (name, text)
        The few figures that everybody asks for.
    lines : tuple of str
        What got worse and why, what it costs, what to do; each at most 300 characters.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it, for a terminal."""
        facts = [f"  {name}: {text}" for name, text in self.facts]
        return "\n".join([self.headline, *facts, *(f"- {line}" for line in self.lines)])


def short_review(made: Review) -> ShortReview:
    """The review in a dozen lines."""
    return ShortReview(headline=_headline(made), facts=_facts(made), lines=tuple(_clip(line) for line in conclusions(made)))


def review_title(made: Review) -> str:
    """`Weekly review, 9 to 15 Mar 2026`."""
    zone = ZoneInfo(made.period.zone)
    first, last = made.period.start.astimezone(zone), (made.period.end - timedelta(hours=1)).astimezone(zone)
    name = "Monthly" if made.period.kind == MONTH else "Weekly"
    year = "" if first.year == last.year else f" {first.year}"
    month = "" if (first.year, first.month) == (last.year, last.month) else f" {first:%b}{year}"
    return f"{name} review, {first.day}{month} to {last.day} {last:%b} {last.year}"


def conclusions(made: Review) -> list[str]:
    """What got worse and why, what it costs, what broke, what is ahead, and what to do."""
    lines = nothing_before(made)
    missed = [one for one in made.objectives if one.kept is False]
    lines += [f"Objective missed: {kept_words(one)}" for one in missed[:3]]
    if len(missed) > 3:
        lines.append(f"{len(missed) - 3} more objectives missed: {', '.join(one.name for one in missed[3:])}")
    for one, cause in list(zip(made.worse, made.worse_causes, strict=True))[:3]:
        lines.append(f"Worse: {moved_words(one, made)}{_because(cause, one, made)}")
    lines += [f"Rising for weeks: {trend_words(one)}" for one in made.trends[:2]]
    lines.append(f"Incidents: {incidents_words(made)}")
    for one, cause in list(zip(made.better, made.better_causes, strict=True))[:1]:
        lines.append(f"Better: {moved_words(one, made)}{_because(cause, one, made)}")
    near = [one for one in made.limits if one.headroom < 0.2 or one.probability > 0.1]
    lines += [f"Capacity: {one.words}" for one in near[:2]]
    if made.costs:
        lines.append(f"Cost ahead: {cost_words(made.costs[0])}")
    return lines + _to_do(made)


def nothing_before(made: Review) -> list[str]:
    """That there is nothing to compare with, or less than a whole period; empty where both are whole."""
    noun, period = made.period.kind, made.period
    begun = f"{made.data_from.astimezone(ZoneInfo(period.zone)):%Y-%m-%d %H:%M}"
    of_all = sum(day >= period.start for day, _ in made.days)
    if made.known_days == 0:
        return [f"There is no call in this {noun}: nothing can be said of it"]
    lines = []
    if made.known_days < of_all:
        lines.append(f"Only {made.known_days} of the {noun}'s {of_all} days had calls; its figures are of those")
    if not made.comparable:
        lines.append(f"Nothing to compare with: there was no call in the {noun} before (the store's first is of {begun})")
    else:
        before = len(made.days) - of_all
        known = sum(math.isfinite(value) for day, value in made.days if day < period.start)
        if known < before:
            lines.append(f"The {noun} before had calls on {known} of {before} days only: compare with care")
    return lines


def compared_words(one: Compared, made: Review) -> str:
    """`412 ms (+12 %)`; costs as what was spent in the period."""
    change = f" ({change_words(one)})" if math.isfinite(one.change) else ""
    return f"{amount_words(one, one.value, made)}{change}"


def amount_words(one: Compared, value: float, made: Review) -> str:
    """A value for people: costs as USD over a time as long as the period."""
    if one.metric == "cost_per_h":
        return money(value * made.hours)
    return format_value(value, METRICS[one.metric].unit)


def title_of(metric: str) -> str:
    """What people call the metric in a review."""
    return "Cost" if metric == "cost_per_h" else METRICS[metric].title


def money(usd: float) -> str:
    """`1,234 USD`, `12.30 USD`, `0.0123 USD`."""
    if not math.isfinite(usd):
        return "no data"
    return f"{usd:,.0f} USD" if abs(usd) >= 1000 else f"{usd:,.2f} USD" if abs(usd) >= 1 else f"{usd:.3g} USD"


def change_words(one: Compared) -> str:
    """`+12 %`; what more than tripled as `4.2 times`."""
    factor = one.change + 1.0
    if factor >= _MANY_TIMES:
        return f"{factor:.3g} times"
    percent = 100 * one.change
    return "unchanged" if abs(percent) < 0.05 else f"{percent:+.1f} %" if abs(percent) < 10 else f"{percent:+.0f} %"


def moved_words(one: Compared, made: Review) -> str:
    """`Latency P95 of service checkout went from 412 ms to 560 ms (+36 %)`."""
    before, now = amount_words(one, one.before, made), amount_words(one, one.value, made)
    return f"{title_of(one.metric)} of {one.selector.words}: {before} → {now} ({change_words(one)})"


def cause_words(cause: Cause, one: Compared, made: Review) -> list[str]:
    """Each thing that is known of the cause; empty: nothing is."""
    found = []
    if cause.part is not None:
        part = cause.part
        inner = {name: value for name, value in part.selector.labels.items() if name not in one.selector.labels}
        name = ", ".join(f"{key} {value}" for key, value in inner.items())
        values = f"{amount_words(one, part.before, made)} → {amount_words(one, part.value, made)}"
        found.append(f"mostly {name} ({values})")
    if cause.change is not None:
        found.append(_change(cause.change, one, made))
    if cause.incident:
        found.append(f"incident {cause.incident}")
    if cause.anomaly:
        found.append(f"anomaly {cause.anomaly}")
    return found


def _change(change: CauseChange, one: Compared, made: Review) -> str:
    zone = ZoneInfo(made.period.zone)
    values = f"{amount_words(one, change.before, made)} before, {amount_words(one, change.after, made)} after"
    if one.metric == "cost_per_h":
        values += f", by the {made.period.kind}"
    verdict = f"; {_VERDICTS[change.verdict]}" if change.verdict in _VERDICTS else ""
    return f"since {change.words} on {change.at.astimezone(zone):%a %d %b %H:%M} ({values}{verdict})"


def _because(cause: Cause, one: Compared, made: Review) -> str:
    found = cause_words(cause, one, made)
    return f". Why: {'; '.join(found)}" if found else ""


def kept_words(one: Kept) -> str:
    """`orders fast: 560 ms where at most 420 ms is wanted, error budget overdrawn by 40 %`."""
    unit = METRICS[one.metric].unit
    bound = "at least" if one.at_least else "at most"
    wanted = f"{bound} {format_value(one.target, unit)} is wanted"
    return f"{one.name}: {format_value(one.value, unit)} where {wanted}{budget_words(one)}"


def budget_words(one: Kept) -> str:
    """`, error budget 40 % left`; empty where there is none."""
    left = one.budget_left
    if not math.isfinite(left):
        return ""
    return f", {left:.0%} of its error budget left" if left >= 0 else f", its error budget was used {1.0 - left:.1f} times over"


def trend_words(one: Trend) -> str:
    """`Latency P95 of service chat, +14 % over 28 days`."""
    return f"{title_of(one.metric)} of {one.selector.words}, {100 * one.growth:+.0f} % over {one.days} days"


def cost_words(one: ServingCost) -> str:
    """What serving the forecast costs."""
    spent = format_range(one.calls_usd.lower, one.calls_usd.upper, "USD")
    instances = f", instances {money(one.instances_usd)}" if one.instances_usd else ""
    where = f"{one.selector.words}, " if one.selector.pairs else ""
    return f"{where}{one.first:%d %b} to {one.until:%d %b %Y}: {spent} for calls{instances} (forecast, 90 % range)"


def incidents_words(made: Review) -> str:
    """How many, how soon they were told, taken and over, as medians; and how many there were before."""
    found = made.incidents
    before = f" ({made.incidents_before} in the {made.period.kind} before)" if made.comparable else ""
    if not found:
        return f"none{before}"
    words = [f"{len(found)}{before}", f"told after {span_words(_middle(found, 'detected_s'))}"]
    said = sum(math.isfinite(one.acknowledged_s) for one in found)
    taken = f"{said} acknowledged after {span_words(_middle(found, 'acknowledged_s'))}" if said else "none acknowledged"
    ended = sum(math.isfinite(one.lasted_s) for one in found)
    over = f"over after {span_words(_middle(found, 'lasted_s'))}" if ended else "none is over"
    still = f"; {len(found) - ended} not over yet" if 0 < ended < len(found) else ""
    return f"{', '.join([*words, taken, over])}{' (medians)' if len(found) > 1 else ''}{still}"


def _middle(found: tuple[ReviewedIncident, ...], name: str) -> float:
    known = [value for one in found if math.isfinite(value := getattr(one, name))]
    return median(known) if known else math.nan


def span_words(seconds: float) -> str:
    return format_span(timedelta(seconds=seconds)) if math.isfinite(seconds) else "—"


def _headline(made: Review) -> str:
    kept = [one for one in made.objectives if one.kept is not None]
    parts = []
    if kept:
        parts.append(f"{sum(one.kept is True for one in kept)} of {len(kept)} objectives kept")
    count = len(made.incidents)
    parts.append("no incident" if not count else "1 incident" if count == 1 else f"{count} incidents")
    if made.worse:
        parts.append(f"worse: {title_of(made.worse[0].metric)} of {made.worse[0].selector.words}")
    return f"{review_title(made)}: {', '.join(parts)}"


_FACTS = ("tps", "error_rate", "latency_p95", "cost_per_h")


def _facts(made: Review) -> tuple[tuple[str, str], ...]:
    by_metric = {one.metric: one for one in made.totals}
    found = [(title_of(name), compared_words(by_metric[name], made)) for name in _FACTS if name in by_metric]
    if calls := next((one.calls for one in made.totals), 0):
        found.insert(0, ("Calls", f"{calls:,}"))
    return tuple(found)


def _to_do(made: Review) -> list[str]:
    open_ = [one for one in made.recommendations if one.state is RecommendationState.OPEN]
    lines = [f"To do: {one.finding.action} (gain: {one.finding.gain_words})" for one in open_[:2]]
    if len(open_) > 2:
        lines.append(f"{len(open_) - 2} more recommendations are open")
    return lines


def is_news(one: Compared) -> bool:
    """Whether the change is more than the usual."""
    return math.isfinite(one.change) and abs(one.change) > _NEWS


def local(moment: datetime, made: Review, form: str = "%a %d %b %H:%M") -> str:
    """A time in the review's zone."""
    return moment.astimezone(ZoneInfo(made.period.zone)).strftime(form)


def _clip(line: str) -> str:
    flat = " ".join(line.split())
    return flat if len(flat) <= _LINE else flat[: _LINE - 1] + "…"
