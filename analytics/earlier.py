"""The anomalies of earlier days that new ones are told with: read when a new one begins, and then kept while it lasts."""

from collections.abc import Callable, Sequence
from datetime import datetime

from analytics.recurring import ANOTHER_DAY, LOOK_BACK
from core.types import Anomaly
from storage.anomalies import read_anomalies
from storage.contract import Store


class Earlier:
    """A cache: a restart reads it anew. Not for several threads."""

    def __init__(self, read: Callable[[Store, datetime, datetime], Sequence[Anomaly]] = read_anomalies) -> None:
        self._read = read
        self._span: tuple[datetime, datetime] | None = None
        self._held: Sequence[Anomaly] = ()

    def than(self, store: Store, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        """Of the days before any of these, of which there is one at least. What they are told with changes no more."""
        first = min(one.started_at for one in anomalies) - LOOK_BACK
        last = max(one.started_at for one in anomalies) - ANOTHER_DAY
        if self._span is None or first < self._span[0] or last > self._span[1]:
            self._held, self._span = self._read(store, first, last), (first, last)
        return self._held
