"""Who is told: the receivers of a rule, else those of the first route that fits. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.matching import labels_of, matches, within
from core.alert_settings import ReceiverSettings, RouteSettings
from core.config import Rule, Settings
from core.types import Incident, Severity

_FORECAST_REPEAT = timedelta(days=1)
"""What will happen in days is made anew once a day; nobody needs to hear of it more often."""


def rules_by_name(settings: Settings) -> Mapping[str, Rule]:
    return {rule.name: rule for rule in settings.rules}


def receivers_of_incident(incident: Incident, settings: Settings, now: datetime) -> tuple[ReceiverSettings, ...]:
    """Those of the incident's rule; else those of the routes that fit it; else those of `routing`; else all.

    A route that is muted by its time intervals tells nobody meanwhile: what still fires when they end is told then.
    """
    rule = rules_by_name(settings).get(incident.rule)
    if rule is not None and rule.receivers:
        return _named(rule.receivers, settings)
    routes = routes_of(incident, settings)
    if not routes:
        return _named(settings.routing.receivers, settings)
    names = {
        name
        for path in routes
        if _speaks(path, settings, now)
        for name in _receivers(path, settings.routing.receivers, settings)
    }
    return tuple(receiver for receiver in settings.receivers if receiver.name in names)


def routes_of(incident: Incident, settings: Settings) -> list[Sequence[RouteSettings]]:
    """The routes that fit, each as the path to it; empty where none does."""
    return list(_walk(settings.routing.routes, labels_of(incident), ()))


def repeat_interval(incident: Incident, settings: Settings) -> timedelta:
    """The innermost route's that gives one; else that of `routing`, of what is forecast a day at least."""
    for path in routes_of(incident, settings):
        for route in reversed(path):
            if route.repeat_interval is not None:
                return route.repeat_interval
    usual = settings.routing.repeat_interval
    return max(usual, _FORECAST_REPEAT) if incident.kind == "forecast" else usual


def group_wait(severity: Severity, settings: Settings) -> timedelta:
    """How long a new incident waits for others of the same cause."""
    return settings.routing.group_wait_critical if severity is Severity.CRITICAL else settings.routing.group_wait


def _walk(
    routes: Sequence[RouteSettings], labels: Mapping[str, str], above: tuple[RouteSettings, ...]
) -> Iterator[Sequence[RouteSettings]]:
    for route in routes:
        if not matches(route.match, labels):
            continue
        path = (*above, route)
        inner = list(_walk(route.routes, labels, path))
        yield from inner or [path]
        if not route.go_on:
            return


def _receivers(path: Sequence[RouteSettings], otherwise: Collection[str], settings: Settings) -> Collection[str]:
    for route in reversed(path):
        if route.receivers:
            return route.receivers
    return otherwise or [receiver.name for receiver in settings.receivers]


def _speaks(path: Sequence[RouteSettings], settings: Settings, now: datetime) -> bool:
    zone = ZoneInfo(settings.time_zone)
    inside = {interval.name for interval in settings.time_intervals if within(interval, now, zone)}
    return all((not route.active or inside & {*route.active}) and not inside & {*route.mute} for route in path)


def _named(names: Collection[str], settings: Settings) -> tuple[ReceiverSettings, ...]:
    return tuple(receiver for receiver in settings.receivers if not names or receiver.name in names)
