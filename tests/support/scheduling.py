"""Which test process runs which files, and in which order, where there are several.

A file's tests stay together, for their module's fixtures. Files that want the same broker stay together too: it is started once
instead of once in every process, and an idle one takes a twentieth of a processor. What takes longest comes first: most of it
waits for brokers, browsers and processes while other processes compute, and none is left alone at the end.
"""

from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER: dict[str, tuple[str, ...]] = {
    "kafka": (
        "integration/test_ingest_faults.py",
        "integration/test_supports.py",
        "contract/test_source_contract.py",
        "integration/test_disk_full.py",
        "integration/test_real_data.py",
        "integration/test_schema_registry.py",
        "integration/test_mixed_topic.py",
        "integration/test_leader.py",
        "integration/test_inspect.py",
    ),
    "secure kafka": (
        "integration/test_kafka_security.py",
        "integration/test_kafka_reading.py",
        "integration/test_kafka_changes.py",
    ),
}
"""Files that share an engine of the session, by what they share."""

LONGEST: tuple[str, ...] = (
    "integration/test_demo.py",
    "kafka",
    "integration/test_pages.py",
    "integration/test_chaos.py",
    "integration/test_jobs_detection.py",
    "secure kafka",
    "integration/test_cli.py",
    "integration/test_import_killed.py",
    "integration/test_jobs_real.py",
    "unit/tpscope/test_importing.py",
)
"""What is begun first: files and groups, as measured on two processors."""

_GROUPS = {name: group for group, names in TOGETHER.items() for name in names}


class ByEngine(LoadScopeScheduling):  # type: ignore[misc]  # shipped without types
    """Gives whole groups of files to the processes, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """What the test runs together with: its file, or the engine that the file shares."""
    path = nodeid.split("::", 1)[0].removeprefix("tests/")
    return _GROUPS.get(path, path)


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests of what is begun first before the others; otherwise in the order given."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))
