"""An anomaly in one or two plain sentences: what left its range, where, since when, what else moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.diagnosis import Diagnosis
from analytics.wording import clock_time, number, quantity, span
from core.series import METRICS, Direction, Selector

_EXCESS = {
    "tps": ("additional calls", "missing calls"),
    "error_rate": ("excess errors", "missing errors"),
    "rate_limited_rate": ("excess rate-limited calls", "missing rate-limited calls"),
    "tokens_per_s": ("additional tokens", "missing tokens"),
    "cost_per_h": ("additional cost", "missing cost"),
    "cache_hit_rate": ("additional cache hits", "lost cache hits"),
}
_SLOWER = ("slowdown", "speed-up")
_WORTH_SAYING = 0.6
_MOST_OTHERS = 2
_NOTABLE = 0.2
"""Another metric is mentioned when it strayed by this part of what the leading one did, over the whole run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One series at its worst minute; `share` of the excess of its metric in [0, 1], `weight` of its deviation over the run."""

    metric: str
    selector: Selector
    direction: Direction
    observed: float
    expected: float
    lower: float
    upper: float
    share: float
    weight: float


def describe(
    lead: Movement,
    others: Sequence[Movement],
    started_at: datetime,
    ended_at: datetime | None,
    diagnosis: Diagnosis | None = None,
) -> str:
    """The explanation; other movements of the leading metric are left out, the share says what they would."""
    when = f"since {clock_time(started_at)} UTC"
    if ended_at is not None:
        when = f"from {clock_time(started_at)} to {clock_time(ended_at, started_at)} UTC"
    parts = [f"{_headline(lead, ended_at is not None)} {when}"]
    if lead.selector.pairs and lead.share >= _WORTH_SAYING:
        more, less = _EXCESS.get(lead.metric, _SLOWER)
        parts.append(f"accounts for {lead.share * 100:.0f} % of the {more if lead.direction is Direction.HIGH else less}")
    said = {lead.metric}
    for other in others:
        notable = other.weight >= _NOTABLE * lead.weight
        if notable and other.metric not in said and len(said) <= _MOST_OTHERS:
            said.add(other.metric)
            parts.append(_beside(other))
    return "; ".join(parts) + "." + (_source(lead, diagnosis) if diagnosis is not None else "")


def _source(lead: Movement, diagnosis: Diagnosis) -> str:
    """What the single calls say: where it comes from, and what it looks like."""
    said = ""
    if diagnosis.causes and diagnosis.causes[0].selector != lead.selector:
        first = diagnosis.causes[0]
        said += f" Its source is {first.selector.words} ({first.share * 100:.0f} % of the change)."
    elif not diagnosis.causes:
        said += " No single source stands out."
    if diagnosis.hint:
        said += f" It looks like: {diagnosis.hint}" + (f" ({diagnosis.evidence})." if diagnosis.evidence else ".")
    if diagnosis.change:
        said += f" Shortly before: {diagnosis.change} (it came first; that is no proof)."
    return said


def _headline(lead: Movement, over: bool) -> str:
    where = lead.selector.words
    if lead.metric == "tps" and lead.observed == 0:
        usual = f"about {number(60.0 * lead.expected)} a minute expected"
        return f"No calls at all of {where} ({usual})" if lead.selector.pairs else f"No calls at all ({usual})"
    verb = "rose" if lead.direction is Direction.HIGH else "fell"
    return f"{METRICS[lead.metric].title} of {where} {verb} to {quantity(lead.metric, lead.observed)} ({_usual(lead)})"


def _usual(lead: Movement) -> str:
    """The range of a minute; where the value lies within it, several minutes together were out, and only they say so."""
    if lead.lower <= lead.observed <= lead.upper:
        return f"about {quantity(lead.metric, lead.expected)} expected over several minutes"
    return f"expected {span(lead.metric, lead.lower, lead.upper)}"


def _beside(other: Movement) -> str:
    title = METRICS[other.metric].title
    side = "up" if other.direction is Direction.HIGH else "down"
    against = f"{quantity(other.metric, other.observed)} against {quantity(other.metric, other.expected)}"
    return f"{title[0].lower()}{title[1:]} of {other.selector.words} also {side}, {against}"
