"""What was decided becomes messages in the outbox, also what a crash kept from it."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from alerts.outbox import make, missing
from alerts.repository import Repository
from alerts.step import Notice
from core.config import Settings
from core.types import Incident, Notification, NotifyReason

logger = logging.getLogger(__name__)


class Announcer:
    """Writes to the outbox, as of `now`. Raises the store's errors."""

    def __init__(self, repository: Repository, settings: Settings, now: datetime) -> None:
        self._repository, self._settings, self._now = repository, settings, now

    def lost(self, known: Iterable[Incident], since: datetime | None) -> list[Notice]:
        """What was decided since the last success (or after now: the clock was set back) but did not come into the outbox."""
        suspects = [
            incident
            for incident in known
            if (told_at := incident.last_notified_at) is not None and (since is None or told_at >= since or since > self._now)
        ]
        stored = self._stored({incident.id for incident in suspects})
        return [notice for incident in suspects for notice in missing(incident, stored[incident.id])]

    def tell(self, notices: Sequence[Notice]) -> int:
        """Put what must be told into the outbox; returns how many messages that is."""
        # Ends and reminders go to those who were told of the opening, before this run or in it.
        stored = self._stored({notice.incident.id for notice in notices if notice.reason is not NotifyReason.OPENED})
        messages: list[Notification] = []
        for notice in notices:
            made = make(notice, stored[notice.incident.id], self._now, self._settings)
            stored[notice.incident.id] += made
            messages += made
            logger.info(
                "incident %s: id=%s fingerprint=%s because=%s",
                notice.reason.value, notice.incident.id, notice.incident.fingerprint, notice.cause.value,
            )  # fmt: skip
        self._repository.write_notifications(messages)
        return len(messages)

    def _stored(self, incident_ids: Collection[str]) -> dict[str, list[Notification]]:
        """The outbox by incident; an incident without any message has an empty list."""
        found: dict[str, list[Notification]] = defaultdict(list)
        for notification in self._repository.notifications_of(incident_ids):
            found[notification.incident_id].append(notification)
        return found
