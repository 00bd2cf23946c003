"""Simulated calls as gateway log records: one JSON object a call, unknown values left out."""

import orjson
import pyarrow as pa


def encode(calls: pa.Table) -> list[bytes]:
    """A table of RECORD_SCHEMA as JSON records in tpscope's own format; `ts` in epoch milliseconds."""
    as_numbers = calls.set_column(0, "ts", calls.column("ts").cast(pa.int64()))
    without_map = as_numbers.drop_columns(["attributes"])
    return [orjson.dumps({name: value for name, value in row.items() if _known(value)}) for row in without_map.to_pylist()]


def _known(value: object) -> bool:
    return value is not None and value != ""
