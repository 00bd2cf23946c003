"""What calls that came late make of what was told: reads for `amending` and `rechecking`, and adds up what they decide."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.amending import LATE, REASONS, amended
from alerts.inhibition import selection
from alerts.live import is_live
from alerts.memory import AlertMemory
from alerts.rechecking import due, minutes_of, rechecked, seconds_of, stands, withdrawn
from alerts.repository import Repository, WindowQuery
from alerts.routing import rules_by_name
from alerts.step import Notice
from alerts.windows import MAX_AGE
from core.config import Settings, ThresholdRule
from core.errors import StoreError, StoreUnavailable
from core.series import Selector
from core.types import Anomaly, Incident

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
"""How often verdicts of detection are read: a day of anomalies is much to read, and detection looks every few minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateNews:
    """Incidents that changed, and what must be told of them."""

    events: list[Incident] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


class LateData:
    """Looks once more at what was told, as of `now`. What cannot be read now is looked at in the next evaluation, or stands."""

    def __init__(self, repository: Repository, settings: Settings, now: datetime, memory: AlertMemory) -> None:
        self._repository, self._settings, self._now, self._memory = repository, settings, now, memory
        self._zone = ZoneInfo(settings.time_zone)

    def judge(self, known: dict[str, Incident]) -> LateNews:
        """What changes of the incidents; `known` takes their new states. Raises StoreUnavailable."""
        news = LateNews(notices=self._amended(known))
        for incident, rule in due(known.values(), rules_by_name(self._settings), self._now):
            if self._stands(incident, rule):
                news.events.append(rechecked(incident, self._now))
            else:
                news.notices.append(withdrawn(incident, self._now))
        news.events.extend(one.incident for one in news.notices)
        known.update((one.id, one) for one in news.events)
        return news

    def _amended(self, known: dict[str, Incident]) -> list[Notice]:
        """Verdicts of detection on anomalies up to `LATE` ago; incidents that ended before `known` are read for them."""
        looked_at = self._memory.verdicts_at
        if looked_at is not None and timedelta(0) <= self._now - looked_at < EVERY:
            return []
        anomalies = self._changed()
        self._memory.verdicts_at = self._now
        if not anomalies:
            return []
        older = {one.id: one for one in self._repository.incidents(self._now - LATE - MAX_AGE)}
        return amended({**older, **known}.values(), anomalies, self._now)

    def _changed(self) -> Iterable[Anomaly]:
        try:
            return [one for one in self._repository.anomalies(self._now - LATE, self._now) if one.verdict in REASONS]
        except StoreUnavailable:
            raise
        except StoreError as error:
            logger.warning("changed verdicts were not read: %s", error)
            return []

    def _stands(self, incident: Incident, rule: ThresholdRule) -> bool:
        first, last = minutes_of(incident)
        about = Selector.of({**selection(incident.labels), **rule.selector})
        if about.transaction:
            rule = rule.model_copy(update={"selector": about.labels, "transaction": "", "by": ()})
        query = WindowQuery(
            metric=rule.metric, selector=about, by=rule.by, window=rule.window, first_end=first, last_end=last
        )  # fmt: skip
        seconds = pd.DataFrame({"value": []})
        try:
            minutes = self._repository.windows(query)
            if is_live(rule):
                seconds = self._repository.spans(rule.metric, seconds_of(incident, rule), about, rule.by, unit_s=1)
        except StoreUnavailable:
            raise
        except (StoreError, ValueError) as error:
            logger.warning("an incident was not looked at again: id=%s error=%s", incident.id, error)
            return True
        return stands(rule, minutes, seconds, self._now, self._zone)
