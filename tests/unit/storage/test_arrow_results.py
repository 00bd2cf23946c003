"""What a query returned stays what it was, whatever is asked afterwards."""

from datetime import timedelta
from pathlib import Path

from storage.chdb_backend import ChdbStore


def test_a_table_keeps_its_values_while_other_queries_run(tmp_path: Path) -> None:
    """chdb's own Arrow tables point into memory that it frees (seen as random counts and times)."""
    store = ChdbStore(tmp_path, query_timeout=timedelta(seconds=30), max_memory_bytes=2**30)
    try:
        kept = [
            store.arrow("SELECT number + {n:Int64} AS value FROM numbers({rows:UInt64})", {"n": n, "rows": 1 + n * 37 % 500})
            for n in range(300)
        ]
        for n, table in enumerate(kept):
            assert table.column("value").to_pylist() == [n + row for row in range(1 + n * 37 % 500)]
    finally:
        store.close()
