"""Settings of an insert, alike for both engines: one block, and a token that alone decides about repeats."""

_ONE_BLOCK: dict[str, str | int] = {
    # One insert is one block and one part per partition, so that a token covers all of it.
    "async_insert": 0,
    "max_insert_threads": 1,
    "max_block_size": 1_000_000_000,
    "max_insert_block_size": 1_000_000_000,
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 0,
    "max_partitions_per_insert_block": 0,  # imported history spans many days
    "insert_null_as_default": 0,  # a NULL is refused where the column takes none: unknown is never a zero
    # What follows is for speed; benchmarks/bench_insert.py measures it.
    "parallel_view_processing": 1,
    "optimize_on_insert": 0,  # a view's rows are grouped by its table's whole key already
    "group_by_two_level_threshold": 0,  # 256 small blocks would be joined again, copying every quantile state
    "group_by_two_level_threshold_bytes": 0,
}


def insert_settings(token: str | None) -> dict[str, str | int]:
    """Settings by name; those that a server does not know are for other versions, and it must ignore them."""
    if token is None:  # equal batches are two batches
        repeats: dict[str, str | int] = {
            "deduplicate_insert": "disable",
            "deduplicate_insert_select": "disable",
            "insert_deduplicate": 0,
        }
    else:
        repeats = {
            "deduplicate_insert": "enable",
            "deduplicate_insert_select": "force_enable",
            "insert_deduplicate": 1,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            "insert_deduplication_token": token,
        }
    return _ONE_BLOCK | repeats
