"""The gate: a candidate against a baseline, metric by metric, and what follows from that. Pure and seeded.

Each metric is estimated on both sides over the strata that they share, with the same weights. It is a regression where it is
worse beyond chance after the correction for all that was looked at, and by more than both floors. Where it is not, the gate
says whether it would have found a change that matters; if not, there were too few calls.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.gating.family import holm
from analytics.gating.measures import Found, Question, measure
from analytics.gating.overlap import Pair, folded, paired
from analytics.gating.targets import Target, TargetFound, look_at
from core.errors import ConfigError
from core.gate_settings import GATED, GateSettings
from core.gating import GateReport, MetricVerdict, Outcome, TargetVerdict, Verdict
from core.mixes import CallMix, Floats

_MOST_ROUTES = 3
_LEAST_PART = 0.2
"""A route is named where it accounts for so much of a regression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be judged besides the settings.

    Attributes
    ----------
    throughput : bool
        Whether calls a second were driven, not demanded, on both sides alike: then fewer of them are a regression.
    targets : sequence of (Target, CallMix)
        Objectives, each with the candidate's calls that it is of.
    """

    throughput: bool = False
    targets: Sequence[tuple[Target, CallMix]] = ()


def judge(before: CallMix, after: CallMix, settings: GateSettings, asked: Asked | None = None) -> GateReport:
    """The gate's report. Raises ConfigError where the two count different things by definition."""
    _check(before, after)
    asked = asked or Asked()
    pair = paired(before, after)
    judged = {*settings.judged, *(["tps"] if asked.throughput else [])}
    rng = np.random.default_rng(settings.seed)
    question = Question(pair=pair, raw_before=folded(before), raw_after=folded(after), settings=settings, rng=rng)
    found = {metric: measure(question, metric) for metric in GATED}
    targets = [look_at(target, mix, settings, rng) for target, mix in asked.targets]
    family = [metric for metric in GATED if metric in judged and not math.isnan(found[metric].p_worse)]
    adjusted = holm([*(found[metric].p_worse for metric in family), *(one.p_broken for one in targets)])
    alpha = (1.0 - settings.confidence) / max(len(adjusted), 1)
    metrics = [
        _verdict(found[metric], pair, settings, alpha, adjusted[family.index(metric)] if metric in family else math.nan)
        if metric in judged
        else _told(found[metric], settings)
        for metric in GATED
    ]
    verdicts = [_target(one, value, settings) for one, value in zip(targets, adjusted[len(family) :], strict=True)]
    outcome, reasons = _outcome(pair, metrics, verdicts, settings)
    return GateReport(
        outcome=outcome,
        before=before,
        after=after,
        shared_before=pair.shared_before,
        shared_after=pair.shared_after,
        strata=len(pair.before.strata),
        level=settings.confidence,
        metrics=tuple(metrics),
        targets=tuple(verdicts),
        reasons=tuple(reasons),
        notes=tuple(_notes(pair)),
    )


def _check(before: CallMix, after: CallMix) -> None:
    if before.transaction != after.transaction:
        raise ConfigError("gate", f"{before.counts} cannot be compared with {after.counts}; choose windows of the same")
    if before.version != after.version:
        raise ConfigError("gate", f"versions {before.version} and {after.version} of {after.counts} count different things")


def _verdict(found: Found, pair: Pair, settings: GateSettings, alpha: float, adjusted: float) -> MetricVerdict:
    worse = (-1.0 if found.metric == "tps" else 1.0) * found.difference
    level = 1.0 - settings.confidence
    if math.isnan(found.before) or math.isnan(found.after):
        verdict = Verdict.UNKNOWN
    elif adjusted <= level and worse > 0:
        verdict = Verdict.REGRESSION if worse >= found.floor else Verdict.SMALL
    elif found.p_better <= alpha and -worse >= found.floor:
        verdict = Verdict.IMPROVEMENT
    else:
        verdict = Verdict.UNCHANGED if found.reach(alpha, settings.power) <= 1.0 else Verdict.TOO_FEW
    where = _where(found.parts, pair) if verdict is Verdict.REGRESSION else ()
    needed = found.calls * found.reach(alpha, settings.power) ** 2 if verdict is Verdict.TOO_FEW else math.nan
    told = _told(found, settings)
    return replace(
        told, verdict=verdict, adjusted=adjusted, where=where, calls_needed=needed if math.isfinite(needed) else math.nan
    )


def _told(found: Found, settings: GateSettings) -> MetricVerdict:
    title, unit = GATED[found.metric]
    return MetricVerdict(
        metric=found.metric,
        title=title,
        unit=unit,
        verdict=Verdict.UNKNOWN if math.isnan(found.difference) else Verdict.TOLD,
        before=found.before,
        after=found.after,
        raw_before=found.raw_before,
        raw_after=found.raw_after,
        difference=found.difference,
        lower=found.lower,
        upper=found.upper,
        p_value=found.p_worse,
        adjusted=math.nan,
        floor=found.floor,
        findable=found.findable,
        calls_needed=math.nan,
        required=found.metric in settings.required,
    )


def _where(parts: Floats, pair: Pair) -> tuple[str, ...]:
    """Routes that account for a fifth or more of what got worse."""
    by_route: dict[str, float] = {}
    for stratum, part in zip(pair.after.strata, parts, strict=True):
        by_route[stratum.route_words] = by_route.get(stratum.route_words, 0.0) + float(part)
    total = sum(part for part in by_route.values() if part > 0)
    ranked = sorted(by_route.items(), key=lambda one: -one[1])
    return tuple(name for name, part in ranked[:_MOST_ROUTES] if total > 0 and part >= _LEAST_PART * total)


def _target(found: TargetFound, adjusted: float, settings: GateSettings) -> TargetVerdict:
    one = found.target
    kept: bool | None = None
    if not math.isnan(adjusted) and adjusted <= 1.0 - settings.confidence:
        kept = False
    elif (found.upper <= one.value) if one.at_most else (found.lower >= one.value):
        kept = True
    return TargetVerdict(
        name=one.name,
        metric=one.metric,
        unit=GATED[one.metric][1],
        target=one.value,
        at_most=one.at_most,
        value=found.value,
        lower=found.lower,
        upper=found.upper,
        kept=kept,
    )


def _outcome(
    pair: Pair, metrics: Sequence[MetricVerdict], targets: Sequence[TargetVerdict], settings: GateSettings
) -> tuple[Outcome, list[str]]:
    if pair.shared_after < settings.overlap:
        words = f"the mixes do not overlap: {pair.shared_after:.0%} of the candidate's calls have a counterpart in the baseline"
        missing = ", ".join(f"{name} ({calls:,.0f})" for name, calls in pair.missing_after[:_MOST_ROUTES])
        return Outcome.CANNOT_JUDGE, [f"{words}, {settings.overlap:.0%} are needed; without one: {missing}"]
    worse = [f"{one.title}: regression" for one in metrics if one.verdict is Verdict.REGRESSION]
    worse += [f"objective {one.name} is broken" for one in targets if one.kept is False]
    if worse:
        return Outcome.REGRESSION, worse
    unclear = [_unclear(one) for one in metrics if one.required and one.verdict in (Verdict.TOO_FEW, Verdict.UNKNOWN)]
    unclear += [f"objective {one.name}: too few calls to say whether it is kept" for one in targets if one.kept is None]
    return (Outcome.CANNOT_JUDGE, unclear) if unclear else (Outcome.PASSED, [])


def _unclear(one: MetricVerdict) -> str:
    if one.verdict is Verdict.UNKNOWN:
        return f"{one.title}: nothing is known of it on one of the sides"
    needed = "" if math.isnan(one.calls_needed) else f"; about {one.calls_needed:,.2g} calls of the candidate would do"
    return f"{one.title}: too few calls to find a change that matters{_plain(needed)}"


def _plain(text: str) -> str:
    """`8.4e+03` as `8,400`."""
    return " ".join(f"{float(word):,.0f}" if "e+" in word else word for word in text.split(" "))


def _notes(pair: Pair) -> list[str]:
    notes = ["both sides were observed at the same times, which are compared block by block"] if pair.at_once else []
    if pair.missing_after and pair.shared_after < 1.0:
        names = ", ".join(f"{name} ({calls:,.0f})" for name, calls in pair.missing_after[:_MOST_ROUTES])
        notes.append(f"{1 - pair.shared_after:.1%} of the candidate's calls have no counterpart and are not judged: {names}")
    if pair.shared_before < 0.995:
        notes.append(f"{1 - pair.shared_before:.1%} of the baseline's calls are of routes or sizes that the candidate lacks")
    return notes
