"""How fast JSON readers turn records into columns: what decision 0009 rests on. Those that are not installed are left out.

`pip install polars msgspec pysimdjson arro3-io; python -m benchmarks.json_readers [--records 100000]`. Processor time on one
core, best of three, in blocks of 8,192 records.
"""

import argparse
import importlib
import io
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj

from benchmarks.call_records import call_records
from ingest.formats.shape import Shape

BLOCK = 8_192


def main() -> None:
    parser = argparse.ArgumentParser(description="records a second of JSON readers")
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"
    values = call_records(options.records)
    schema = Shape().learned(map(orjson.loads, values[:100])).schema()
    blocks = [b"\n".join(values[at : at + BLOCK]) for at in range(0, len(values), BLOCK)]
    for name, run in readers(values, blocks, schema):
        seconds = min(processor_s(run) for _ in range(3))
        print(f"{name:40} {len(values) / seconds:>10,.0f} records/s", flush=True)


def readers(values: list[bytes], blocks: list[bytes], schema: pa.Schema) -> Iterator[tuple[str, Callable[[], object]]]:
    """Names and runs of the readers that are there."""
    yield "orjson, a dict for each record", lambda: [orjson.loads(one) for one in values]
    for threads in (False, True):
        yield f"pyarrow.json, use_threads={threads}", partial(by_arrow, blocks, schema, threads)
    if polars := installed("polars"):
        kinds = {pa.string(): polars.String, pa.float64(): polars.Float64, pa.bool_(): polars.Boolean}
        typed = {field.name: kinds[field.type] for field in schema}
        yield "polars.read_ndjson", lambda: [polars.read_ndjson(one, schema=typed) for one in blocks]
    if arro3 := installed("arro3.io"):
        given = installed("arro3.core").Schema.from_arrow(schema)
        yield (
            "arro3 (arrow-rs)",
            lambda: [pa.table(arro3.read_json(io.BytesIO(one), given, batch_size=BLOCK)) for one in blocks],
        )
    if msgspec := installed("msgspec"):
        optional = {pa.string(): str | None, pa.float64(): float | None, pa.bool_(): bool | None}
        struct = msgspec.defstruct("Call", [(field.name, optional[field.type], None) for field in schema], gc=False)
        decoder = msgspec.json.Decoder(struct)
        yield "msgspec, a struct for each record", lambda: [decoder.decode(one) for one in values]
        yield "msgspec, and Arrow columns of them", lambda: columns_of([decoder.decode(one) for one in values], schema)
    if simdjson := installed("simdjson"):
        parser = simdjson.Parser()
        yield "simdjson, nothing made of it", lambda: [parser.parse(one) is None for one in values]


def by_arrow(blocks: list[bytes], schema: pa.Schema, threads: bool) -> list[pa.Table]:
    parsing = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    reading = [pj.ReadOptions(use_threads=threads, block_size=len(one) + 1) for one in blocks]
    return [pj.read_json(pa.BufferReader(one), how, parsing) for one, how in zip(blocks, reading, strict=True)]


def columns_of(structs: list[Any], schema: pa.Schema) -> list[pa.Array]:
    return [pa.array([getattr(one, field.name) for one in structs], field.type) for field in schema]


def installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def processor_s(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    main()
