"""A review in few words, for a chat."""

import math

from core.recommendations import RecommendationState
from core.reviews import Compared, Review, ReviewedIncident
from core.series import METRICS
from render.units import format_value

_SHORT = ("tps", "error_rate", "latency_p95", "cost_per_h")


def review_words(review: Review) -> str:
    """A dozen lines at most; each number is one of the review's."""
    lines = [f"{review.kind.capitalize()} to {review.end:%Y-%m-%d} (UTC), against the {review.kind} before"]
    lines += [f"- {compared_words(one)}" for one in review.totals if one.metric in _SHORT and math.isfinite(one.value)]
    missed = [one.name for one in review.objectives if not one.kept]
    if review.objectives:
        of_all = f"{len(review.objectives) - len(missed)} of {len(review.objectives)} objectives kept"
        lines.append(f"- {of_all}" + (f"; missed: {', '.join(missed)}" if missed else ""))
    lines.append(f"- {incidents_words(review.incidents)}")
    lines += [f"- worse: {compared_words(one)}" for one in review.worse[:3]]
    lines += [f"- better: {compared_words(one)}" for one in review.better[:1]]
    lines += [
        f"- rising: {METRICS[one.metric].title}, {one.selector.words}: {one.growth:+.0%} in {one.days} days"
        for one in review.trends[:2]
    ]
    open_ = [one for one in review.recommendations if one.state is RecommendationState.OPEN]
    if open_:
        lines.append(f"- {len(open_)} recommendations are open; the largest: {open_[0].finding.action}")
    return "\n".join(lines)


def compared_words(one: Compared) -> str:
    """`Latency P95, service chat: 812 ms (+12 %)`."""
    metric = METRICS[one.metric]
    change = f" ({100 * one.change:+.1f} %)" if math.isfinite(one.change) else ""
    where = f", {one.selector.words}" if one.selector.pairs else ""
    return f"{metric.title}{where}: {format_value(one.value, metric.unit)}{change}"


def incidents_words(incidents: tuple[ReviewedIncident, ...]) -> str:
    if not incidents:
        return "no incident"
    found = sorted(one.detected_s for one in incidents)
    middle = found[len(found) // 2]
    return f"{len(incidents)} incidents, half of them told within {middle / 60:.1f} min"
