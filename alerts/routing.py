"""Who is told: the receivers of a rule. Pure."""

from collections.abc import Collection, Mapping

from core.config import ReceiverSettings, Rule, Settings
from core.types import Incident


def receivers_of(rule: Rule | None, settings: Settings) -> tuple[ReceiverSettings, ...]:
    """The rule's own receivers; else those of `routing`; else all."""
    names: Collection[str] = (rule.receivers if rule else ()) or settings.routing.receivers
    return tuple(receiver for receiver in settings.receivers if not names or receiver.name in names)


def rules_by_name(settings: Settings) -> Mapping[str, Rule]:
    return {rule.name: rule for rule in settings.rules}


def receivers_of_incident(incident: Incident, settings: Settings) -> tuple[ReceiverSettings, ...]:
    """Those of the incident's rule; where the rule is gone, those of `routing`."""
    return receivers_of(rules_by_name(settings).get(incident.rule), settings)
