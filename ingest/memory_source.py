"""A topic in memory with the manners of a consumer group: for tests and for rehearsing faults."""

import threading
from collections.abc import Iterable, Mapping

from core.errors import BrokerUnavailable
from ingest.batch import Partition, Slice
from ingest.plan import Progress
from ingest.source import Assigned, Polled


class MemorySource:
    """One member that owns all partitions of one topic.

    `revoke` takes partitions away and gives them back at once, as a rebalance does: reading goes on from the commits, which
    `progress` keeps and `committed` shows as plain offsets. Without a `topic_id` records that come again cannot be told.
    `fail_polls` and `fail_commits` make the next calls raise BrokerUnavailable.
    """

    def __init__(self, topic: str = "gateway-calls", partitions: int = 1, slice_records: int = 500, topic_id: str = "") -> None:
        self._log: dict[Partition, list[bytes]] = {Partition(topic, number): [] for number in range(partitions)}
        self._position: dict[Partition, int] = dict.fromkeys(self._log, 0)
        self._slice_records = slice_records
        self._revoked: set[Partition] = set()
        self._new: set[Partition] = set(self._log)
        self._topic_id = topic_id
        self._changed = threading.Condition()
        self.progress: dict[Partition, Progress] = {}
        self.fail_polls = 0
        self.fail_commits = 0
        self.closed = False
        self.polls = 0

    @property
    def committed(self) -> dict[Partition, int]:
        """The offset of each partition before which everything is written, where something is."""
        return {at: one.offset for at, one in self.progress.items() if one.offset}

    def append(self, values: Iterable[bytes], partition: int = 0) -> None:
        """Write records to a partition."""
        with self._changed:
            self._log[self._at(partition)].extend(values)
            self._changed.notify_all()

    def revoke(self, *partitions: int) -> None:
        """Rebalance: these partitions leave and come back."""
        with self._changed:
            for at in map(self._at, partitions):
                self._revoked.add(at)
                self._new.add(at)
                self._position[at] = self.committed.get(at, 0)
            self._changed.notify_all()

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        with self._changed:
            self.polls += 1
            if self.fail_polls:
                self.fail_polls -= 1
                raise BrokerUnavailable("the memory source fails this poll")
            self._changed.wait_for(lambda: self._revoked or (max_records > 0 and any(self.lag().values())), timeout_s)
            revoked, self._revoked = frozenset(self._revoked), set()
            assigned = {at: Assigned(progress=self.progress.get(at), topic_id=self._topic_id) for at in self._new}
            self._new = set()
            slices = []
            for at in self._log:
                found = self._read(at, max_records)
                if found.records:
                    slices.append(found)
                    max_records -= len(found.offsets)
            return Polled(revoked=revoked, assigned=assigned, pieces=tuple(slices))

    def commit(self, progress: Mapping[Partition, Progress]) -> bool:
        if self.fail_commits:
            self.fail_commits -= 1
            raise BrokerUnavailable("the memory source fails this commit")
        self.progress.update(progress)
        return True

    def lag(self) -> Mapping[Partition, int]:
        return {at: len(log) - self._position[at] for at, log in self._log.items()}

    def close(self) -> None:
        self.closed = True

    def _at(self, partition: int) -> Partition:
        return next(at for at in self._log if at.number == partition)

    def _read(self, at: Partition, max_records: int) -> Slice:
        start = self._position[at]
        values = self._log[at][start : start + max(0, min(max_records, self._slice_records))]
        self._position[at] += len(values)
        offsets = range(start, start + len(values))
        return Slice(partition=at, offsets=offsets, values=values, size_bytes=sum(map(len, values)))
