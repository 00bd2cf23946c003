"""Where records come from: the seam between the consumer and Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ingest.batch import Partition, Piece
from ingest.plan import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A partition that this process has from now on.

    Attributes
    ----------
    progress : Progress or None
        What the last owner committed; None where nobody of tpscope has, or what was committed is not its own.
    start : int or None
        Where reading starts; None where only the first record tells.
    topic_id : str
        Tells this topic from an earlier one of the same name; empty where the broker does not say.
    """

    progress: Progress | None = None
    start: int | None = None
    topic_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll brought.

    Attributes
    ----------
    revoked : frozenset of Partition
        Gone from this process since the last poll, even if some have come back. What is held of them has to be dropped:
        whoever has them now goes on from the last commit. It happened before `assigned`.
    assigned : mapping of Partition to Assigned
        New in this process since the last poll; reading starts at `progress.offset`. It happened before `pieces` were read. A
        partition that this process has before and after a rebalance of the group is in both: others may have had it in between.
    pieces : tuple of Piece
        New records; those of one partition in order.
    """

    revoked: frozenset[Partition] = frozenset()
    assigned: Mapping[Partition, Assigned] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()


class Source(Protocol):
    """A member of a consumer group. Used by one thread."""

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        """Wait at most `timeout_s` for records and return about `max_records` of them; with 0 none are asked for.

        What a broker had packed together comes together, so that a few thousand records more than `max_records` may come.
        Has to be called again and again, with 0 when there is no room, since it also keeps the membership alive. Raises
        BrokerUnavailable when the broker answers with an error; the next call may succeed. A broker that is merely away is
        no error: nothing comes until it is back.
        """

    def commit(self, progress: Mapping[Partition, Progress]) -> bool:
        """Keep per partition where it is and which batches follow.

        False: the group is being rebalanced and takes none now; poll, then repeat it for the partitions that were not revoked.
        Raises BrokerUnavailable when the broker does not answer in a few seconds; the commit may be repeated.
        """

    def lag(self) -> Mapping[Partition, int]:
        """Records of each owned partition that have not been polled yet, as far as known. Does not block."""

    def close(self) -> None:
        """Leave the group, within a few seconds; may be called twice."""
