"""What rules are about: which objectives and transactions they judge, and whether an incident is still about one of them. Pure.

A transaction's selection has its version in it, so every label, fingerprint and message about it names the version, and a new
version is judged anew: what the old one opened ends, with that reason.
"""

from collections.abc import Mapping
from typing import TypeVar

from alerts.step import Cause
from core.config import AbsenceRule, AnomalyRule, ObjectiveRule, ObjectiveSettings, Rule, Settings, ThresholdRule
from core.series import TRANSACTION, VERSION

_Traffic = TypeVar("_Traffic", ThresholdRule, AbsenceRule)


def spread(rule: _Traffic, settings: Settings) -> list[_Traffic]:
    """The rule itself; one about transactions as one rule over the selection of each, of the same name."""
    if not rule.transaction and TRANSACTION not in rule.by:
        return [rule]
    wanted = [one for one in settings.definitions if rule.transaction in ("", one.name)]
    return [
        rule.model_copy(update={"selector": one.selection.labels, "transaction": "", "by": ()}) for one in wanted
    ]  # fmt: skip


def objectives_of(rule: ObjectiveRule, settings: Settings) -> list[ObjectiveSettings]:
    """The objectives that a rule watches: the one that it names, else all with a budget that no rule names."""
    if rule.objective:
        return [one for one in settings.objectives if one.name == rule.objective]
    named = {other.objective for other in settings.rules if isinstance(other, ObjectiveRule)}
    return [
        one
        for one in settings.objectives
        if one.alert and one.allowed is not None and one.name not in named and rule.transaction in ("", one.transaction)
    ]


def moved_on(rule: Rule, labels: Mapping[str, str], settings: Settings) -> Cause | None:
    """Why an incident with these labels is no longer about what the rule judges; None: it is."""
    name, version = labels.get(TRANSACTION, ""), labels.get(VERSION, "")
    if name and version:
        definition = settings.definition(name)
        if definition is None or definition.version != version:
            return Cause.DEFINITION_CHANGED
    if isinstance(rule, ObjectiveRule):
        watched = {one.name: one for one in objectives_of(rule, settings)}
        found = watched.get(labels.get("objective", ""))
        return Cause.RULE_CHANGED if found is None or found.transaction != name * bool(version) else None
    if isinstance(rule, ThresholdRule | AbsenceRule | AnomalyRule) and rule.transaction not in ("", name):
        return Cause.RULE_CHANGED
    return None
