"""How long the server takes for every page and for the API's reads, over a month of traffic that goes on meanwhile.

`make bench-pages [ARGS='--calls 100000000 --days 30 --ingest 1000 --people 20 --seconds 60 --keep DIR']`. Calls of 200 routes
and 500 tenants in 5,000 combinations are written into the embedded engine by the insert that ingest uses. Then `tpscope serve`
runs over it in a process of its own with all its jobs, reads `--ingest` calls a second from a real Apache Kafka, and pages are
asked over HTTP as browsers do: *cold* with windows that nobody asked for before, *warm* again and again, and by `--people` who
each refresh a page every ten seconds. A page's time is the sum of all that fills it. With `--keep` the store stays in that
folder, and a later run goes on with it. The ratio is against the same question asked of the single calls.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

from benchmarks.large_site import codes_of
from benchmarks.page_client import PageClient
from benchmarks.sparse_calls import sparse_calls
from core.config import RetentionSettings, StoreSettings
from dashboards.pages.shell import PAGES
from dashboards.window import iso
from storage.bulk import bulk_insert
from storage.calls import insert_calls
from storage.contract import Store
from storage.health import stats
from storage.migrate import migrate
from storage.open import open_store
from tests.support.child_server import ChildServer
from tests.support.kafka_broker import KafkaBroker
from tpscope.guarded import GuardedProcess

BATCH = 500_000
TOPIC = "calls"
ASKED = (*(path for path, _ in PAGES), "/calls")
MERGING_S = 1_800.0
PEOPLE_EVERY_S = 10.0
TURNS = 20
COLD_MS, WARM_MS, PEOPLE_MS = 1_000, 300, 500
READS = (
    "/api/v1/series?metric=tps&last=30d",
    "/api/v1/series?metric=latency_p95&last=30d&by=service&step=6h",
    "/api/v1/anomalies?last=30d",
    "/api/v1/incidents?last=30d",
    "/api/v1/objectives",
    "/api/v1/status",
)
RAW = """
SELECT intDiv(toUnixTimestamp(ts), 7200) AS step, count() AS calls, countIf(status >= 500 OR error_type != '') AS errors,
    quantiles(0.5, 0.9, 0.95, 0.99)(assumeNotNull(latency_ms)) AS latency, sum(prompt_tokens) AS tokens, sum(cost_usd) AS cost
FROM calls WHERE ts >= {start:DateTime64(3, 'UTC')} AND ts < {end:DateTime64(3, 'UTC')} GROUP BY step ORDER BY step
"""
"""What the overview shows of a month, of single calls."""


class Served(ChildServer):
    """`tpscope serve` over a store that is there already."""

    def __init__(self, store: Path, brokers: str) -> None:
        super().__init__("serve")
        self._store, self._brokers = store, brokers

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tpscope", "serve", "--config", str(self.config)]

    def lay_out(self) -> None:
        settings = {
            "store": {"url": f"chdb://{self._store}"},
            "kafka": {"brokers": self._brokers, "topic": TOPIC, "start": "latest"},
            "retention": {"calls": "90d", "rollups": "90d"},
            "web": {"port": self.port, "rate_limit": 1_000_000},
            "transactions": [{"name": "answers", "selector": {"service": "service-1"}, "thresholds": ["1s"]}],
            "objectives": [
                {"name": "few errors", "metric": "error_rate", "at_most": 0.05},
                {"name": "quick answers", "transaction": "answers", "target": 0.9, "under": "1s"},
            ],
        }
        self.config.write_text(yaml.safe_dump(settings), "utf-8")

    def working_folder(self) -> Path:
        return Path.cwd()

    @property
    def config(self) -> Path:
        return self.folder / "tpscope.yaml"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def main() -> None:
    parser = argparse.ArgumentParser(description="server time of pages and of the API's reads")
    parser.add_argument("--calls", type=int, default=100_000_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--ingest", type=int, default=1_000, help="calls a second that arrive meanwhile")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60, help="how long people refresh")
    parser.add_argument("--settle", type=float, default=180, help="seconds for the jobs to catch up first")
    parser.add_argument("--keep", type=Path, help="folder in which the store stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
        directory = options.keep or Path(folder)
        with opened(directory, timedelta(days=options.days + 60)) as store:
            build(store, options.calls, options.days)
            raw_s = best_of(3, lambda: ask_raw(store, options.days))
        with serving(directory / "store", options.ingest) as address:
            time.sleep(options.settle)
            ask_pages(address, options.days, raw_s)
            ask_together(address, options.people, options.seconds)


@contextmanager
def opened(directory: Path, keep: timedelta) -> Iterator[Store]:
    """The store, whose single calls and rollups stay for longer than the benchmark needs them."""
    store = open_store(StoreSettings(url=f"chdb://{directory / 'store'}"), owner=True)
    try:
        migrate(store, RetentionSettings(calls=keep, rollups=keep))
        yield store
    finally:
        store.close()


def build(store: Store, calls: int, days: float) -> None:
    """Write what is missing and wait for the merges; says how long it took and what it takes on the disk."""
    held = stats(store).calls
    begun, start, rate = time.perf_counter(), datetime.now(UTC) - timedelta(days=days), calls / (days * 86_400)
    if held < calls:
        with bulk_insert(store) as merges:
            for first in range(held, calls, BATCH):
                rows = min(BATCH, calls - first)
                insert_calls(store, sparse_calls(rows, first, start=start, rate=rate, codes_of=codes_of))
                merges.wrote()
                if first // BATCH % 20 == 0:
                    print(f"{first + rows:,} of {calls:,} calls, {time.perf_counter() - begun:.0f} s", flush=True)
        took = time.perf_counter() - begun
        await_merges(store)
        print(f"{calls - held:,} written in {took:.0f} s, merged after {time.perf_counter() - begun:.0f} s", flush=True)
    found = stats(store)
    print(f"{found.calls:,} calls, {found.bytes_on_disk / 1e9:.2f} GB", flush=True)
    print(f"RESULT name=pages_store value={found.bytes_on_disk / max(found.calls, 1):.1f} unit=B/call reference=0", flush=True)


def await_merges(store: Store) -> None:
    until = time.monotonic() + MERGING_S
    while time.monotonic() < until and store.arrow("SELECT count() AS merges FROM system.merges").column("merges")[0].as_py():
        time.sleep(1.0)


@contextmanager
def serving(store: Path, ingest: int) -> Iterator[str]:
    """The whole service over the store, with calls arriving from Kafka; yields its address."""
    with KafkaBroker() as broker, Served(store, broker.bootstrap) as served:
        broker.create_topic(TOPIC, 4)
        command = [sys.executable, "-m", "tpscope", "simulate", "--to", "kafka", "--rate", str(ingest), "--last", "12h"]
        producer = GuardedProcess(
            [*command, "--config", str(served.config)], log=served.folder / "producer.log", cwd=Path.cwd()
        )
        try:
            yield served.address
        finally:
            producer.stop(10)


def ask_pages(address: str, days: float, raw_s: float) -> None:
    """Every page and read: cold with windows of their own, of the whole time and of a day, then warm."""
    client, now = PageClient(address), datetime.now(UTC)
    for path in ASKED:
        name = f"page{path.replace('/', '_')}"
        first = client.fill(path, f"?last={days:g}d")
        tell(f"{name}_cold", [first, *_cold(client, path, now, timedelta(days=days))], COLD_MS)
        tell(f"{name}_cold_day", _cold(client, path, now, timedelta(days=1)), COLD_MS)
        warm = [_paused(client, path, f"?last={days:g}d") for _ in range(TURNS)]
        tell(f"{name}_warm", warm, WARM_MS)
        if path == "/":
            ratio = raw_s / float(np.quantile(warm, 0.5))
            print(f"the same of single calls: {raw_s * 1000:.0f} ms", flush=True)
            print(f"RESULT name=page_overview_against_calls value={ratio:.1f} unit=times reference=1", flush=True)
    for address_ in READS:
        tell(f"read {address_}", [client.get(address_) for _ in range(TURNS)], WARM_MS)


def _cold(client: PageClient, path: str, now: datetime, width: timedelta) -> list[float]:
    """Windows that nobody has asked for before."""
    starts = [now - width - timedelta(minutes=7 * turn) for turn in range(TURNS)]
    return [client.fill(path, f"?from={iso(start)}&to={iso(now)}") for start in starts]


def _paused(client: PageClient, path: str, search: str) -> float:
    """As a page that is open asks again: after some answers have grown too old to be shared."""
    time.sleep(1.0)
    return client.fill(path, search)


def ask_together(address: str, people: int, seconds: float) -> None:
    """People who each have a page open that refreshes every ten seconds."""
    times: list[float] = []

    def person(number: int) -> None:
        client, path = PageClient(address), ASKED[number % len(ASKED)]
        time.sleep(random.Random(number).random() * PEOPLE_EVERY_S)
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            times.append(took := client.fill(path, "?last=30d" if number % 2 else "?last=24h"))
            time.sleep(max(PEOPLE_EVERY_S - took, 0.0))

    threads = [threading.Thread(target=person, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell(f"pages_of_{people}_people", times, PEOPLE_MS)


def ask_raw(store: Store, days: float) -> None:
    end = datetime.now(UTC)
    store.arrow(RAW, {"start": end - timedelta(days=days), "end": end})


def best_of(count: int, work: Callable[[], None]) -> float:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def tell(name: str, seconds: list[float], reference_ms: float) -> None:
    p50, p95 = (float(np.quantile(seconds, share)) * 1000 for share in (0.5, 0.95))
    print(f"{name}: P50 {p50:.0f} ms, P95 {p95:.0f} ms of {len(seconds)}", flush=True)
    plain = name.replace("/api/v1/", "").replace("?", " ").replace(" ", "_")
    print(f"RESULT name={plain}_p95 value={p95:.0f} unit=ms reference={reference_ms}", flush=True)


if __name__ == "__main__":
    main()
