"""How fast records become rows: decoding, validation and conversion to Arrow, on one core.

`python -m benchmarks.bench_decode [--records 100000] [--repeats 5]`. The reference of each figure is `orjson.loads` alone over
the same bytes in the same run: what no decoder in Python that parses with it can beat. Best of the repeats, which take turns
with the reference's; seconds are this process's processor time, since both run on one core and machines are busy.
"""

import argparse
import time
from collections.abc import Callable

import orjson

from benchmarks.call_records import call_records
from core.config import FormatSettings
from ingest.formats import Format, build_format

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
    mapped = build_format("mapped", {"mapped": FormatSettings.model_validate({"fields": MAPPED})})
    clean = call_records(options.records)
    report("decode_tpscope", native, clean, options.repeats)
    report("decode_tpscope_with_attributes", native, with_extra_fields(clean), options.repeats)
    report("decode_tpscope_one_odd_in_1000", native, with_odd_values(clean), options.repeats)
    report("decode_mapping", mapped, foreign(clean), options.repeats)


def report(name: str, format_: Format, values: list[bytes], repeats: int) -> None:
    assert not format_.decode(values).rejects
    decode, parse = best_in_turns(lambda: format_.decode(values), lambda: [orjson.loads(value) for value in values], repeats)
    rate, reference = len(values) / decode, len(values) / parse
    size = sum(map(len, values)) / len(values)
    print(f"{name:32} {rate:>10,.0f} records/s, {rate / reference:.0%} of orjson.loads alone, {size:.0f} bytes a record")
    print(f"RESULT name={name} value={rate:.0f} unit=records/s reference={reference:.0f}", flush=True)


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
    """Each record with three fields that tpscope has no column for."""
    return [value[:-1] + b',"zone":"b","attempt":2,"labels":{"team":"x"}}' for value in values]


def with_odd_values(values: list[bytes]) -> list[bytes]:
    """Every thousandth record with its numbers as texts: their columns are converted value by value in its block."""
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
