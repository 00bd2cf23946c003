"""How far a partition is, and how it goes on: what Kafka keeps with the commit of its offset.

Before a batch is written its bounds are committed. Whoever has the partition next, after a crash or a rebalance, cuts the
same batches at the same bounds and writes them under the same tokens, so that the store keeps each once. The commit is the
one place that fences: the broker refuses it from a member whose generation is over (KIP-62), and the next owner reads it only
after that. docs/decisions/0008-exactly-once.md has the proof.
"""

import re
from dataclasses import dataclass

_MARK = "tpscope/2"
_MARK_WITHOUT_TOPIC = "tpscope/1"
_NO_ID = "-"
_TOPIC = re.compile(r"-|[0-9a-f]{32}")
_END = ";"
_NUL = "\0"
MAX_BOUNDS = 16
"""Bounds kept at most: their text stays far below the broker's 4,096 bytes (`offset.metadata.max.bytes`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A partition's place in its topic.

    Attributes
    ----------
    offset : int
        All records before it are in the store.
    bounds : tuple of int
        Last offsets of the batches that are being written from there on, ascending: the first goes from `offset` to
        `bounds[0]`, the second from `bounds[0] + 1` to `bounds[1]`, and so on.
    topic_id : str
        Which topic that is: one that is deleted and made anew has the same name. Hexadecimal; empty where it is not known.
    """

    offset: int
    bounds: tuple[int, ...] = ()
    topic_id: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that are not ascending from the offset on, or too many."""
        if len(self.bounds) > MAX_BOUNDS:
            raise ValueError(f"{len(self.bounds)} bounds are more than {MAX_BOUNDS}")
        before = self.offset - 1
        for bound in self.bounds:
            if bound <= before:
                raise ValueError(f"bounds {self.bounds} do not ascend from offset {self.offset}")
            before = bound

    @property
    def text(self) -> str:
        """For the commit's metadata."""
        return " ".join([_MARK, self.topic_id or _NO_ID, *(str(bound) for bound in self.bounds)]) + _END + _NUL

    def is_of(self, topic_id: str) -> bool:
        """Whether it may be a place in the topic of this id, and not in one that had the name before."""
        return topic_id == self.topic_id or not (topic_id and self.topic_id)


def read_progress(offset: int, text: str | None) -> Progress | None:
    """The progress that a commit of `offset` with this metadata tells; None where the metadata is not ours.

    librdkafka 2.16 reads what another client committed as a C string, up to the first NUL, whatever lies in its memory before
    that: the text has an end of its own, so that no stray digit becomes a part of a bound, and a NUL, so that it stops there.
    """
    told, end, _ = (text or "").partition(_END)
    mark, *rest = told.split(" ")
    if not end or mark not in (_MARK, _MARK_WITHOUT_TOPIC):
        return None
    topic, bounds = (rest[:1], rest[1:]) if mark == _MARK else ([_NO_ID], rest)
    if not topic or not _TOPIC.fullmatch(topic[0]):
        return None
    topic_id = "" if topic[0] == _NO_ID else topic[0]
    try:
        return Progress(offset=offset, bounds=tuple(int(bound) for bound in bounds), topic_id=topic_id)
    except ValueError:
        return None


def is_of_another_topic(offset: int, text: str | None, topic_id: str) -> bool:
    """Whether what was committed is about a topic that had the name before."""
    progress = read_progress(offset, text)
    return progress is not None and not progress.is_of(topic_id)
