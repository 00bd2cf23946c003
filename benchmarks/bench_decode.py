"""How fast records become rows: decoding, validation and conversion to Arrow, on one core.

`python -m benchmarks.bench_decode [--records 100000] [--repeats 5]`. The reference of each figure is `orjson.loads` alone over
the same bytes in the same run: what no decoder in Python that parses with it can beat. Best of the repeats, which take turns
with the reference's; seconds are this process's processor time, since both run on one core and machines are busy. Records come
in one buffer, as from Kafka. `decode_tpscope_threads` is what two threads read in a second of the clock on the wall, against
one thread: with the interpreter's lock held they would not be faster.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson

from benchmarks.call_records import call_records
from core.config import FormatSettings
from ingest.formats import Format, build_format
from ingest.formats.native import NativeFormat
from ingest.lines import Lines

MAPPED = {
    "ts": "time",
    "tenant": "key.team",
    "service": "svc",
    "route": "path",
    "kind": {"const": "llm"},
    "model": "model",
    "status": {"path": "state", "values": {"ok": 200, "failed": 500}},
    "latency_ms": {"path": "took", "unit": "s"},
    "prompt_tokens": "usage.prompt",
    "completion_tokens": "usage.completion",
    "cost_usd": {"path": "microdollars", "scale": 1e-6},
    "attributes.zone": "zone",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="records decoded a second")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    native = build_format("tpscope", {})
    assert isinstance(native, NativeFormat)
    mapped = build_format("mapped", {"mapped": FormatSettings.model_validate({"fields": MAPPED})})
    clean = call_records(options.records)
    report("decode_tpscope", native, clean, options.repeats)
    report_threads(native, clean)
    report("decode_tpscope_exactly", _Exactly(native), clean, options.repeats)
    report("decode_tpscope_with_scalars", native, with_scalars(clean), options.repeats)
    report("decode_tpscope_with_attributes", native, with_extra_fields(clean), options.repeats)
    report("decode_tpscope_one_odd_in_1000", native, with_odd_values(clean), options.repeats)
    report("decode_mapping", mapped, foreign(clean), options.repeats)


def report(name: str, format_: Format, values: list[bytes], repeats: int) -> None:
    lines = Lines.of(values)
    assert not format_.decode(lines).rejects
    decode, parse = best_in_turns(lambda: format_.decode(lines), lambda: [orjson.loads(value) for value in values], repeats)
    rate, reference = len(values) / decode, len(values) / parse
    size = sum(map(len, values)) / len(values)
    print(f"{name:32} {rate:>10,.0f} records/s, {rate / reference:.0%} of orjson.loads alone, {size:.0f} bytes a record")
    print(f"RESULT name={name} value={rate:.0f} unit=records/s reference={reference:.0f}", flush=True)


def report_threads(format_: Format, values: list[bytes]) -> None:
    """Two threads against one."""
    lines = Lines.of(values)
    rates = []
    for threads in (1, 2):
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(format_.decode, [lines] * 4))
        rates.append(4 * len(values) / (time.perf_counter() - began))
    print(f"RESULT name=decode_tpscope_threads value={rates[1]:.0f} unit=records/s reference={rates[0]:.0f}", flush=True)


class _Exactly:
    """One record after another, as the columnar way does only with what is odd."""

    def __init__(self, format_: NativeFormat) -> None:
        self.name = format_.name
        self.decode = format_.decode_exactly
        self.decode_objects = format_.decode_objects


def best_in_turns(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Seconds of the fastest run of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, taken in zip((first, second), seconds, strict=True):
            began = time.process_time()
            run()
            taken.append(time.process_time() - began)
    return min(seconds[0]), min(seconds[1])


def with_extra_fields(values: list[bytes]) -> list[bytes]:
    """Each record with three fields that tpscope has no column for, one of them an object: these are not read in columns."""
    return [value[:-1] + b',"zone":"b","attempt":2,"labels":{"team":"x"}}' for value in values]


def with_scalars(values: list[bytes]) -> list[bytes]:
    """Each record with two fields that tpscope has no column for, and an attribute."""
    return [value[:-1] + b',"zone":"b","attempt":2,"attributes":{"team":"x"}}' for value in values]


def with_odd_values(values: list[bytes]) -> list[bytes]:
    """Every thousandth record with its numbers as texts: it is cut out and read exactly."""
    odd = list(values)
    for at in range(0, len(odd), 1000):
        odd[at] = orjson.dumps({name: str(value) for name, value in orjson.loads(odd[at]).items()})
    return odd


def foreign(values: list[bytes]) -> list[bytes]:
    """The same calls in another gateway's words."""
    records = []
    for value in values:
        call = orjson.loads(value)
        record = {
            "time": call["ts"],
            "key": {"team": call["tenant"]},
            "svc": call["service"],
            "path": call["route"],
            "model": call.get("model"),
            "state": "ok" if call["status"] == 200 else "failed",
            "took": call["latency_ms"] / 1000,
            "usage": {"prompt": call.get("prompt_tokens"), "completion": call.get("completion_tokens")},
            "microdollars": call.get("cost_usd", 0) * 1e6,
            "zone": call["region"],
            "unused": call["request_id"],
        }
        records.append(orjson.dumps(record))
    return records


if __name__ == "__main__":
    main()
