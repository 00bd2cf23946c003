"""Causes of what a threshold opened: whose calls moved along, asked of the store when it is told for the first time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.causes import DIMENSIONS, rank
from alerts.inhibition import selection
from alerts.repository import Repository
from alerts.step import Notice
from alerts.windows import MAX_AGE, MINUTE
from core.errors import StoreError, StoreUnavailable
from core.series import Selector
from core.types import Incident, NotifyReason, RankedCause

logger = logging.getLogger(__name__)

_MOST_EXPLAINED = 5


def explained(
    repository: Repository, events: Sequence[Incident], notices: Sequence[Notice], now: datetime
) -> tuple[list[Incident], list[Notice]]:
    """Both with the causes of what is told for the first time; an explanation that cannot be read costs no message."""
    found: dict[str, tuple[RankedCause, ...]] = {}
    new = (one.incident for one in notices if one.reason is NotifyReason.OPENED and one.incident.kind == "threshold")
    for incident in list(new)[:_MOST_EXPLAINED]:
        try:
            causes = (*incident.causes, *_causes(repository, incident, now))
        except StoreUnavailable:
            raise
        except StoreError as error:
            logger.warning("an incident is told without its causes: id=%s error=%s", incident.id, error)
            continue
        found[incident.id] = tuple({cause.text: cause for cause in reversed(causes)}.values())[::-1]
    return (
        [_with_causes(one, found) for one in events],
        [replace(one, incident=_with_causes(one.incident, found)) for one in notices],
    )


def _causes(repository: Repository, incident: Incident, now: datetime) -> tuple[RankedCause, ...]:
    about = selection(incident.labels)
    start = max(incident.started_at, now - MAX_AGE)
    end = max(now, start + MINUTE)
    others = [name for name in DIMENSIONS if name not in about]
    parts = {name: repository.parts(name, start, end, Selector.of(about)) for name in others}
    return rank(incident.metric, parts)


def _with_causes(incident: Incident, found: Mapping[str, tuple[RankedCause, ...]]) -> Incident:
    return replace(incident, causes=found.get(incident.id, incident.causes))
