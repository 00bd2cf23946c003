"""A gate's verdict as lines for a terminal, JSON, a JUnit report, and a summary in Markdown for a pull request."""

import json
import math
from typing import Any
from xml.etree import ElementTree  # only builds

from core.gating import GateReport, MetricVerdict, Outcome, Verdict
from core.mixes import CallMix
from render.gate_words import (
    change_words,
    heading,
    p_words,
    relative_words,
    shown,
    sides_words,
    target_words,
    value_words,
    verdict_words,
)

_COLUMNS = ("metric", "baseline", "candidate", "change", "", "p", "verdict")


def lines(report: GateReport) -> list[str]:
    """The verdict line by line, its table in columns."""
    rows = [_COLUMNS, *(_row(one) for one in shown(report))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    table = ["  ".join(_set(cell, width, at) for at, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows]
    found = [f"gate {heading(report)}", *sides_words(report), "", *(row.rstrip() for row in table), ""]
    found += [target_words(one) for one in report.targets]
    return [*found, *report.reasons, *(f"note: {note}" for note in report.notes), _fine_print(report)]


def as_json(report: GateReport) -> dict[str, Any]:
    """Everything, for machines; unknown numbers are null."""
    return {
        "outcome": report.outcome.name.lower(),
        "exit": int(report.outcome),
        "candidate": _side(report.after, report.shared_after),
        "baseline": _side(report.before, report.shared_before),
        "strata": report.strata,
        "confidence": report.level,
        "metrics": [_fields(one) | {"verdict": one.verdict.name.lower()} for one in report.metrics],
        "objectives": [_fields(one) for one in report.targets],
        "reasons": list(report.reasons),
        "notes": list(report.notes),
    }


def report_json(report: GateReport) -> str:
    """The same as one line of text."""
    return json.dumps(as_json(report), ensure_ascii=False)


def junit(report: GateReport) -> str:
    """One test case a judged metric or objective; what nobody could judge is skipped, or an error where it was needed."""
    judged = [one for one in report.metrics if one.verdict is not Verdict.TOLD]
    suite = ElementTree.Element("testsuite", name="tpscope gate", timestamp=f"{report.after.spans[-1][1]:%Y-%m-%dT%H:%M:%S}")
    counts = {"failure": 0, "error": 0, "skipped": 0}
    cases = [(one.metric, *_case(one, report.outcome)) for one in judged]
    for target in report.targets:
        kind = {True: "", False: "failure", None: "error"}[target.kept]
        cases.append((f"objective {target.name}", kind, target_words(target)))
    if report.outcome is Outcome.CANNOT_JUDGE and not any(kind == "error" for _, kind, _ in cases):
        cases.append(("mixes", "error", report.reasons[0]))
    for name, kind, words in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="tpscope.gate", name=name)
        if kind:
            counts[kind] += 1
            ElementTree.SubElement(case, kind, message=words)
        else:
            ElementTree.SubElement(case, "system-out").text = words
    names = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    totals = {"tests": str(len(cases)), **{names[kind]: str(count) for kind, count in counts.items()}}
    for key, value in totals.items():
        suite.set(key, value)
    whole = ElementTree.Element("testsuites", {"name": "tpscope gate", **totals})
    whole.append(suite)
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"


def markdown(report: GateReport, picture: str) -> str:
    """A summary for a pull request; `picture` is the picture's address."""
    sign = {Outcome.PASSED: "✅", Outcome.REGRESSION: "❌", Outcome.CANNOT_JUDGE: "⚠️"}[report.outcome]
    parts = [f"### {sign} tpscope gate {heading(report)}", ""]
    parts += [f"- {_escaped(reason)}" for reason in report.reasons] + ([""] if report.reasons else [])
    parts += ["| " + " | ".join(_COLUMNS) + " |", "|---|--:|--:|--:|--:|--:|---|"]
    for one in shown(report):
        cells = [_escaped(cell) for cell in _row(one)]
        if one.verdict is Verdict.REGRESSION:
            cells[0], cells[-1] = f"**{cells[0]}**", f"**{cells[-1]}**"
        parts.append("| " + " | ".join(cells) + " |")
    parts += ["", *(f"- {_escaped(target_words(one))}" for one in report.targets), *([""] if report.targets else [])]
    parts += [f"![{heading(report)}]({picture})", ""]
    more = [*sides_words(report), *report.notes, _fine_print(report)]
    return "\n".join([*parts, *(f"- {_escaped(line)}" for line in more)]) + "\n"


def _row(one: MetricVerdict) -> tuple[str, ...]:
    before, after = (value_words(one, value) for value in (one.before, one.after))
    return one.title, before, after, change_words(one), relative_words(one), p_words(one.adjusted), verdict_words(one)


def _set(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at in (0, len(_COLUMNS) - 1) else cell.rjust(width)


def _case(one: MetricVerdict, outcome: Outcome) -> tuple[str, str]:
    words = f"{value_words(one, one.before)} → {value_words(one, one.after)}, {change_words(one)}: {verdict_words(one)}"
    if one.verdict is Verdict.REGRESSION and outcome is not Outcome.CANNOT_JUDGE:
        return "failure", words
    if one.verdict in (Verdict.TOO_FEW, Verdict.UNKNOWN):
        return ("error" if one.required and outcome is Outcome.CANNOT_JUDGE else "skipped"), f"{one.title}: {words}"
    return "", words


def _fine_print(report: GateReport) -> str:
    return (
        f"p: one-sided, after Holm's correction; a candidate that changed nothing passes with {report.level:.0%} or more."
        " Observed calls, not an experiment: what else differed between the sides is in the numbers too."
    )


def _side(mix: CallMix, shared: float) -> dict[str, Any]:
    return {
        "name": mix.name or None,
        "spans": [[start.isoformat(), end.isoformat()] for start, end in mix.spans],
        "selector": mix.selector.labels,
        "transaction": mix.transaction or None,
        "version": mix.version or None,
        "calls": int(mix.calls.sum()),
        "shared": shared,
    }


def _fields(one: Any) -> dict[str, Any]:
    found = {}
    for name in one.__slots__:
        value = getattr(one, name)
        if isinstance(value, tuple):
            value = list(value)
        found[name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return found


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
