"""Which partitions of a group begin where `kafka.start` says. Pure.

That setting is about what is there when reading begins: the history that somebody does not want, or only a part of. What
appears later has no such history, and is read from its first record: nothing of it would be read otherwise.
"""

import logging
import re
from collections.abc import Collection, Iterable

from core.config import KafkaSettings
from ingest.batch import Partition

logger = logging.getLogger(__name__)


class Beginnings:
    """Of one process.

    Parameters
    ----------
    there : collection of Partition
        What there was when this process started.
    begun : collection of str
        Topics of which the group had committed something by then: a partition of theirs that it has not was added since.
    """

    def __init__(self, there: Collection[Partition], begun: Collection[str]) -> None:
        self._there, self._begun = frozenset(there), frozenset(begun)
        self._ids: dict[str, str] = {}

    def as_configured(self, at: Partition, topic_id: str) -> bool:
        """Whether a partition that nobody has committed begins where the settings say, and not at its first record."""
        made_again = self._ids.setdefault(at.topic, topic_id) != topic_id
        return at in self._there and at.topic not in self._begun and not made_again


def wanted_topics(settings: KafkaSettings, topics: Iterable[str]) -> list[str]:
    """Those of the cluster's topics that are read."""
    pattern = settings.read_pattern
    return [one for one in topics if (re.match(pattern, one) if pattern else one in settings.read_topics)]


def tell_made_again(partitions: Iterable[Partition]) -> None:
    """Their topic was deleted and made anew while it was read. Kafka's clients read on at the old offset."""
    for topic in sorted({at.topic for at in partitions}):
        logger.warning("topic %s was deleted and made again; the new one is read from its beginning", topic)
