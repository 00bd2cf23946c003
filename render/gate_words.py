"""How a gate's numbers are written for people."""

import math

from core.gating import GateReport, MetricVerdict, Outcome, TargetVerdict, Verdict
from core.series import METRICS
from render.units import UNKNOWN, format_number, format_value, scale_for

_HEADINGS = {
    Outcome.PASSED: "passed: nothing that matters got worse",
    Outcome.REGRESSION: "failed: it got worse",
    Outcome.CANNOT_JUDGE: "cannot judge: these calls do not tell",
}
_BROKEN = "failed: no worse than the baseline, but an objective is broken"


def heading(report: GateReport) -> str:
    """The outcome in a few words."""
    if report.outcome is Outcome.REGRESSION and all(one.verdict is not Verdict.REGRESSION for one in report.metrics):
        return _BROKEN
    return _HEADINGS[report.outcome]


def shown(report: GateReport) -> list[MetricVerdict]:
    """The metrics of which something is known, or that were needed."""
    return [one for one in report.metrics if one.verdict is not Verdict.UNKNOWN or one.required]


def value_words(one: MetricVerdict, value: float) -> str:
    if math.isfinite(value) and one.unit == "USD":
        return f"${value:.3g}"
    return format_value(value, one.unit)


def change_words(one: MetricVerdict) -> str:
    """`+38 ms (+12 to +61)`, and the share of the baseline's value."""
    if not math.isfinite(one.difference):
        return UNKNOWN
    if one.unit == "USD":  # of a single call that is a small number
        return f"{one.difference:+.2g} USD ({one.lower:+.2g} to {one.upper:+.2g})"
    scale = scale_for(one.unit, max(abs(one.difference), abs(one.before)))
    unit = " points" if one.unit == "1" else scale.suffix
    interval = " to ".join(_signed(value * scale.factor) for value in (one.lower, one.upper))
    return f"{_signed(one.difference * scale.factor)}{unit} ({interval})"


def relative_words(one: MetricVerdict) -> str:
    if not math.isfinite(one.difference) or one.before <= 0:
        return ""
    return f"{one.difference / one.before:+.1%}"


def verdict_words(one: MetricVerdict) -> str:
    if one.verdict is Verdict.TOO_FEW and math.isfinite(one.calls_needed):
        return f"{one.verdict}; about {format_number(one.calls_needed)} would do"
    if one.where:
        return f"{one.verdict}, most of it in {', '.join(one.where)}"
    return str(one.verdict)


def p_words(value: float) -> str:
    return "" if math.isnan(value) else ("<0.0001" if value < 1e-4 else f"{value:.2g}")


def target_words(one: TargetVerdict) -> str:
    """An objective and what became of it, in a sentence."""
    side = "at most" if one.at_most else "at least"
    title = METRICS[one.metric].title
    said = {True: "kept", False: "broken", None: "too few calls to tell"}[one.kept]
    value, lower, upper = (format_value(number, one.unit) for number in (one.value, one.lower, one.upper))
    return f"{one.name}: {title} {value} ({lower} to {upper}), {side} {format_value(one.target, one.unit)}: {said}"


def sides_words(report: GateReport) -> list[str]:
    """What was compared with what."""
    return [
        f"candidate: {report.after.words}, {report.after.calls.sum():,.0f} calls of {report.after.counts}",
        f"baseline: {report.before.words}, {report.before.calls.sum():,.0f} calls of {report.before.counts}",
        f"mixes made equal over {report.strata:,} routes and sizes of prompts, which hold {report.shared_after:.1%} of the"
        f" candidate's calls and {report.shared_before:.1%} of the baseline's",
    ]


def _signed(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return f"{'-' if value < 0 else '+'}{format_number(abs(value))}"
