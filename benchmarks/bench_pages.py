"""How long the server takes for every page and for the API's reads, over months of traffic that goes on meanwhile.

`python -m benchmarks.bench_pages [--calls 100000000] [--days 30] [--ingest 1000] [--people 20] [--seconds 60] [--keep DIR]`.
Calls of 200 routes and 500 tenants in 5,000 combinations are written into the embedded engine by the insert that ingest uses;
then the service runs with all its jobs, `--ingest` calls a second are written, and pages are asked over HTTP as browsers do:
*cold* with windows that nobody asked for before, *warm* again and again, and by `--people` who each refresh a page every ten
seconds. With `--keep` the store stays in that folder, and a later run goes on with it. The reference of the warm figures is the
same series counted from the single calls.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.large_site import codes_of
from benchmarks.page_client import PageClient
from benchmarks.sparse_calls import sparse_calls
from core.config import RetentionSettings, Settings
from dashboards.window import iso
from storage.bulk import bulk_insert
from storage.calls import insert_calls
from storage.contract import Store
from storage.health import stats
from storage.migrate import migrate
from storage.open import open_store
from tpscope.wiring import Role, Service

BATCH = 500_000
PEOPLE_EVERY_S = 10.0
TURNS = 20
COLD_MS, WARM_MS, PEOPLE_MS = 1_000, 300, 500
PAGES = ("/", "/objectives", "/incidents", "/forecast", "/pipeline")
READS = (
    "/api/v1/series?metric=tps&last=30d",
    "/api/v1/series?metric=latency_p95&last=30d&by=service",
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


def main() -> None:
    parser = argparse.ArgumentParser(description="server time of pages and of the API's reads")
    parser.add_argument("--calls", type=int, default=100_000_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--ingest", type=int, default=1_000, help="calls a second that are written meanwhile")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60, help="how long people refresh")
    parser.add_argument("--settle", type=float, default=120, help="seconds for the jobs to catch up first")
    parser.add_argument("--keep", type=Path, help="folder in which the store stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tpscope-pages-") as folder:
        directory = options.keep or Path(folder)
        with opened(directory, timedelta(days=options.days + 60)) as store:
            build(store, options.calls, options.days)
            raw_s = best_of(3, lambda: ask_raw(store, options.days))
            with running(store, options.ingest) as address:
                time.sleep(options.settle)
                ask_pages(address, options.days, raw_s)
                ask_together(address, options.people, options.seconds)


@contextmanager
def opened(directory: Path, keep: timedelta) -> Iterator[Store]:
    """The store, whose single calls and rollups stay for longer than the benchmark needs them."""
    store = open_store(Settings.model_validate({"store": {"url": f"chdb://{directory / 'store'}"}}).store, owner=True)
    try:
        migrate(store, RetentionSettings(calls=keep, rollups=keep))
        yield store
    finally:
        store.close()


def build(store: Store, calls: int, days: float) -> None:
    """Write what is missing; says how long it took and what it takes on the disk."""
    held = stats(store).calls
    begun, start, rate = time.perf_counter(), datetime.now(UTC) - timedelta(days=days), calls / (days * 86_400)
    if held < calls:
        with bulk_insert(store):
            for first in range(held, calls, BATCH):
                rows = min(BATCH, calls - first)
                insert_calls(store, sparse_calls(rows, first, start=start, rate=rate, codes_of=codes_of))
                if first // BATCH % 20 == 0:
                    print(f"{first + rows:,} of {calls:,} calls, {time.perf_counter() - begun:.0f} s", flush=True)
    took, found = time.perf_counter() - begun, stats(store)
    print(f"{found.calls:,} calls, {found.bytes_on_disk / 1e9:.2f} GB; {calls - held:,} written in {took:.0f} s", flush=True)
    print(f"RESULT name=pages_store value={found.bytes_on_disk / max(found.calls, 1):.1f} unit=B/call reference=0", flush=True)


@contextmanager
def running(store: Store, ingest: int) -> Iterator[str]:
    """The whole service on a free port, and a thread that writes calls; yields the address."""
    objectives = [{"name": "few errors", "metric": "error_rate", "at_most": 0.05}]
    transactions = [{"name": "answers", "selector": {"service": "service-1"}, "thresholds": ["1s"]}]
    given = {"web": {"port": 0, "rate_limit": 1_000_000}, "objectives": objectives, "transactions": transactions}
    service, stop = Service(Settings.model_validate(given), store, Role.ALL), threading.Event()
    service.start()
    writer = threading.Thread(target=write, args=(store, ingest, stop), daemon=True)
    writer.start()
    try:
        yield service.address
    finally:
        stop.set()
        writer.join(30)
        service.stop()


def write(store: Store, rate: int, stop: threading.Event) -> None:
    """A batch every second, of calls of that second."""
    first = 10**12  # no offset of the calls that are there
    while rate and not stop.is_set():
        begun = time.perf_counter()
        start = datetime.now(UTC) - timedelta(seconds=1 + first / rate)
        insert_calls(store, sparse_calls(rate, first, start=start, rate=rate, codes_of=codes_of))
        first += rate
        stop.wait(max(1.0 - (time.perf_counter() - begun), 0.0))


def ask_pages(address: str, days: float, raw_s: float) -> None:
    """Every page and read: cold with windows of their own, then warm."""
    client, now = PageClient(address), datetime.now(UTC)
    for path in PAGES:
        first = client.fill(path, f"?last={days:g}d")
        starts = [now - timedelta(days=days, minutes=7 * turn) for turn in range(TURNS)]
        cold = [client.fill(path, f"?from={iso(start)}&to={iso(now)}") for start in starts]
        tell(f"page{path.replace('/', '_')}_cold", [first, *cold], COLD_MS)
        warm = [_paused(client, path, f"?last={days:g}d") for _ in range(TURNS)]
        tell(f"page{path.replace('/', '_')}_warm", warm, WARM_MS)
        if path == "/":
            ratio = raw_s / float(np.quantile(warm, 0.5))
            print(f"the same of single calls: {raw_s * 1000:.0f} ms", flush=True)
            print(f"RESULT name=page_overview_against_calls value={ratio:.1f} unit=times reference=1", flush=True)
    for address_ in READS:
        tell(f"read {address_}", [client.get(address_) for _ in range(TURNS)], WARM_MS)


def _paused(client: PageClient, path: str, search: str) -> float:
    """As a page that is open asks again: after some answers have grown too old to be shared."""
    time.sleep(1.0)
    return client.fill(path, search)


def ask_together(address: str, people: int, seconds: float) -> None:
    """People who each have a page open that refreshes every ten seconds."""
    times: list[float] = []

    def person(number: int) -> None:
        client, path = PageClient(address), PAGES[number % len(PAGES)]
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
