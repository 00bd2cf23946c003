"""What bounding cardinality costs: processor time a record, for batches as ingest writes them.

`python -m benchmarks.bench_cardinality [--records 50000] [--repeats 7]`. Three batches: templates and known values (what a
gateway that names its routes sends), raw paths with ids (Envoy, NGINX), and 50,000 new values a column in every batch (an
attack, or a mapping gone wrong). Processor time of this process, best of the repeats; the reference is what it may cost.
"""

import argparse
import time

import numpy as np
import pyarrow as pa

from benchmarks.call_records import call_records
from core.config import CardinalitySettings
from ingest.cardinality import build_guard
from ingest.formats import build_format

LIMIT_US = 0.5
_PATHS = ("/users/{}", "/users/{}/orders", "/v1/orders/{}/items/7", "/files/{}.png", "/v1/threads/thread_{}")


def main() -> None:
    parser = argparse.ArgumentParser(description="processor time a record")
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    rows = build_format("tpscope", {}).decode(call_records(options.records)).rows
    report("cardinality_known", [rows] * options.repeats)
    report("cardinality_raw_paths", [with_routes(rows, raw_paths(options.records, seed)) for seed in range(options.repeats)])
    report("cardinality_all_new", [with_noise(rows, seed) for seed in range(options.repeats)])


def report(name: str, batches: list[pa.Table]) -> None:
    guard = build_guard(CardinalitySettings())
    guard.apply(batches[0])
    seconds = []
    for rows in batches[1:]:
        began = time.process_time()
        guard.apply(rows)
        seconds.append(time.process_time() - began)
    cost = min(seconds) / batches[0].num_rows * 1e6
    print(f"{name:24} {cost:.3f} us a record")
    print(f"RESULT name={name} value={cost:.3f} unit=us/record reference={LIMIT_US}", flush=True)


def raw_paths(count: int, seed: int) -> list[str]:
    numbers = np.random.default_rng(seed).integers(0, 10**9, count).tolist()
    return [_PATHS[number % len(_PATHS)].format(number) for number in numbers]


def with_routes(rows: pa.Table, routes: list[str]) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index("route"), rows.schema.field("route"), pa.array(routes))


def with_noise(rows: pa.Table, seed: int) -> pa.Table:
    """Routes and tenants that nobody has seen before, in every record."""
    noise = [f"n-{seed}-{number}-x" for number in range(rows.num_rows)]
    tenants = rows.set_column(rows.schema.get_field_index("tenant"), rows.schema.field("tenant"), pa.array(noise))
    return with_routes(tenants, [f"/{one}" for one in noise])


if __name__ == "__main__":
    main()
