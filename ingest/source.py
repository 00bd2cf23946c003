"""Where records come from: the seam between the consumer and Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ingest.batch import Partition, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll brought.

    Attributes
    ----------
    revoked : frozenset of Partition
        Gone from this process since the last poll, even if some have come back. What is held of them and not committed has to
        be dropped: whoever has them now reads on from the last commit. It happened before `slices` were read. A partition that
        a rebalance leaves with this process is not among them and reads on where it was.
    slices : tuple of Slice
        New records, at most one slice per partition.
    """

    revoked: frozenset[Partition] = frozenset()
    slices: tuple[Slice, ...] = ()


class Source(Protocol):
    """A member of a consumer group. Used by one thread."""

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        """Wait at most `timeout_s` for records and return up to `max_records` of them; with 0 none are asked for.

        Has to be called again and again, with 0 when there is no room, since it also keeps the membership alive. Raises
        BrokerUnavailable when the broker answers with an error; the next call may succeed. A broker that is merely away is
        no error: nothing comes until it is back.
        """

    def commit(self, next_offsets: Mapping[Partition, int]) -> bool:
        """Store per partition the offset to go on from after a restart.

        False: the group is being rebalanced and takes none now; poll, then repeat it for the partitions that were not revoked.
        Raises BrokerUnavailable when the broker does not answer in a few seconds; the commit may be repeated.
        """

    def lag(self) -> Mapping[Partition, int]:
        """Records of each owned partition that have not been polled yet, as far as known. Does not block."""

    def close(self) -> None:
        """Leave the group, within a few seconds; may be called twice."""
