"""How fast each built-in format is decoded: processor time of one thread, over records of that gateway's own shape.

`python -m benchmarks.bench_formats [--records 20000]`. The reference is parsing the same records with orjson, which every
format does first.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import orjson

from ingest.formats import build_format

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "data" / "gateways"
GATEWAYS = ("otel", "litellm", "kong", "apipark", "envoy", "nginx")


def main() -> None:
    """Print a table and the RESULT lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="records of each format")
    records = parser.parse_args().records
    print(f"{'format':<10}{'bytes':>7}{'records/s':>12}{'calls/s':>12}{'parsed/s':>12}")
    for name in (*GATEWAYS, "auto"):
        lines = [line for one in (GATEWAYS if name == "auto" else (name,)) for line in _lines(one)]
        values = (lines * (records // len(lines) + 1))[:records]
        format_ = build_format(name, {})
        calls = format_.decode(values[:1_000]).rows.num_rows and format_.decode(values).rows.num_rows
        decoded_s = _cpu_seconds(partial(format_.decode, values))
        parsed_s = _cpu_seconds(partial(_parsed, values))
        size = sum(map(len, values)) // records
        print(f"{name:<10}{size:>7}{records / decoded_s:>12,.0f}{calls / decoded_s:>12,.0f}{records / parsed_s:>12,.0f}")
        print(
            f"RESULT name=decode_{name} value={calls / decoded_s:.0f} unit=calls/s/core "
            f"reference=orjson:{records / parsed_s:.0f}records/s"
        )


def _parsed(values: list[bytes]) -> None:
    deque(map(orjson.loads, values), maxlen=0)


def _lines(name: str) -> list[bytes]:
    return (SAMPLES / f"{name}.ndjson").read_bytes().splitlines()


def _cpu_seconds(work: Callable[[], object]) -> float:
    """The best of three runs."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
