"""How often somebody may ask: a bucket of requests each, filled again steadily."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_KEPT = 10_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class RateLimit:
    """At most `per_minute` requests at once, and as many each minute after, for each key. Safe from several threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> float:
        """0: this request may go on, and counts; else how many seconds until one may."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(key, _Bucket(self._most, now))
            self._buckets.move_to_end(key)
            while len(self._buckets) > _MOST_KEPT:  # whoever asks from ever new addresses: the oldest begin anew
                self._buckets.popitem(last=False)
            bucket.level = min(self._most, bucket.level + (now - bucket.at) * self._most / 60)
            bucket.at = now
            if bucket.level >= 1:
                bucket.level -= 1
                return 0.0
            return (1 - bucket.level) * 60 / self._most
