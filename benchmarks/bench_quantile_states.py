"""What a mergeable percentile costs when minutes are sparse, and how far off it is: the states that ClickHouse offers.

`python -m benchmarks.bench_quantile_states [--groups 200000] [--rows-per-group 6]`. `build` makes the states of all groups,
`merge` merges them into one; seconds of one thread, the best of three. `error` is the relative error of P99 of log-normal
latencies against the exact one. The reference of each figure is that of the chosen state, quantilesBFloat16.
"""

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from storage.chdb_backend import ChdbStore

LEVELS = "0.5, 0.9, 0.95, 0.99"
STATES = {
    "bfloat16": ("quantilesBFloat16", LEVELS),
    "dd": ("quantilesDD", f"0.005, {LEVELS}"),
    "tdigest": ("quantilesTDigest", LEVELS),
}
DATA = """CREATE TABLE data ENGINE = MergeTree ORDER BY tuple() AS
SELECT toUInt32(number % {groups:UInt32}) AS g, toFloat32(exp(randNormal(6, 0.5))) AS latency FROM numbers({rows:UInt64})"""


def main() -> None:
    parser = argparse.ArgumentParser(description="cost and error of mergeable percentile states")
    parser.add_argument("--groups", type=int, default=200_000)
    parser.add_argument("--rows-per-group", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        store = ChdbStore(Path(folder), query_timeout=timedelta(minutes=5), max_memory_bytes=8 * 2**30)
        store.command(DATA, {"groups": options.groups, "rows": options.groups * options.rows_per_group})
        exact = store.arrow("SELECT quantileExact(0.99)(latency) AS p FROM data").column("p")[0].as_py()
        measured = {name: measure(store, name, exact) for name in STATES}
        store.close()
    for name, figures in measured.items():
        for figure, value in figures.items():
            reference = measured["bfloat16"][figure]
            unit = "ratio" if figure == "error" else "s"
            print(f"RESULT name=quantile_{name}_{figure} value={value:.4f} unit={unit} reference={reference:.4f}")


def measure(store: ChdbStore, name: str, exact: float) -> dict[str, float]:
    function, arguments = STATES[name]
    build = f"SELECT g, {function}State({arguments})(latency) AS s FROM data GROUP BY g"
    store.command(f"CREATE TABLE {name} ENGINE = MergeTree ORDER BY g AS {build}")
    answer = f"SELECT {function}Merge({arguments})(s) AS p FROM {name}"
    p99 = store.arrow(answer).column("p")[0].as_py()[3]
    figures = {
        "build": best(store, f"SELECT count() FROM ({build}) WHERE NOT ignore(s) SETTINGS max_threads = 1"),
        "merge": best(store, f"{answer} SETTINGS max_threads = 1"),
        "error": abs(p99 / exact - 1),
    }
    print(
        f"{name:10} build {figures['build']:.3f} s   merge {figures['merge']:.3f} s   P99 {figures['error']:.2%} off",
        flush=True,
    )
    return figures


def best(store: ChdbStore, sql: str) -> float:
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        store.command(sql)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    main()
