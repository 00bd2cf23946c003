"""The embedded engine gives back what it has freed."""

import sys

import pytest

from storage.contract import Store
from storage.engine_memory import return_unused
from tpscope.memory import resident_bytes

MIB = 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process has in RAM is told by Linux's /proc")
def test_pages_that_a_query_has_freed_are_given_back(store: Store) -> None:
    if store.capabilities.name != "chdb":
        pytest.skip("the engine is another process")
    return_unused(store)
    before = resident_bytes()
    store.arrow("SELECT sipHash64(groupArray(number)) AS hash FROM numbers(20000000)")
    kept = resident_bytes() - before
    assert kept > 100 * MIB
    return_unused(store)
    assert resident_bytes() - before < kept / 2
