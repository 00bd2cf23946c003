"""What counting transactions costs: `python -m benchmarks.bench_transactions [--calls 400000] [--transactions 10]`.

Calls of a small site are written into an embedded store; then the job counts them all, and looks again where nothing is due.
Times are of processors, so that other work on the machine does not count. The reference is one `SELECT` over the same calls
that counts all and the failed ones by minute: what a single counter would cost at least.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.counting import TransactionCounter
from benchmarks.sparse_calls import RATE, sparse_calls
from core.clock import FakeClock
from core.config import Settings, StoreSettings
from storage.calls import insert_calls
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from storage.rollups import IS_ERROR

BATCH = 100_000
ONE_COUNTER = f"""
SELECT toStartOfMinute(toDateTime(t.ts, 'UTC')) AS minute, count() AS calls, countIf({IS_ERROR}) AS errors
FROM calls AS t GROUP BY minute
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="cost of counting transactions")
    parser.add_argument("--calls", type=int, default=400_000)
    parser.add_argument("--transactions", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(StoreSettings(url=f"chdb://{Path(folder) / 'store'}"), owner=True)
        try:
            migrate(store)
            measure(store, options.calls, options.transactions)
        finally:
            store.close()


def measure(store: Store, calls: int, transactions: int) -> None:
    now = datetime.now(UTC)
    start = (now - timedelta(seconds=calls / RATE)).replace(second=0, microsecond=0)
    for first in range(0, calls, BATCH):
        insert_calls(store, sparse_calls(min(BATCH, calls - first), first, start=start))
    settings = Settings.model_validate({"transactions": [definition(number) for number in range(transactions)]})
    clock = FakeClock(now + timedelta(hours=1))
    started = time.process_time()
    store.frame(ONE_COUNTER)
    one = time.process_time() - started
    counter = TransactionCounter(most_work_s=3600.0)
    started = time.process_time()
    rows = counter.run(store, clock, settings, 1).items
    first_run = time.process_time() - started
    started = time.process_time()
    again = counter.run(store, clock, settings, 1).items
    idle = time.process_time() - started
    minutes = calls / RATE / 60
    print(f"{calls:,} calls in {minutes:,.0f} minutes, {transactions} transactions: {rows:,} rows, again {again}")
    print(f"counted in {first_run:.2f} s of processors; one counter of all calls takes {one:.2f} s; nothing due: {idle:.3f} s")
    share = first_run / transactions / max(one, 1e-9)
    print(f"RESULT name=transactions_counted value={calls / first_run:.0f} unit=calls/s reference={calls / one:.0f}")
    print(f"RESULT name=transaction_per_counter value={share:.2f} unit=ratio reference=1")
    print(f"RESULT name=transactions_nothing_due value={idle * 1000:.0f} unit=ms reference=100")


def definition(number: int) -> dict[str, object]:
    """A different selection each, some with a pattern, all with thresholds."""
    routes = [f"/*{number}*"] if number % 2 else []
    return {
        "name": f"t{number}",
        "selector": {"route": routes} if routes else {},
        "success": {"statuses": ["2xx", "3xx", 404 + number]},
        "thresholds": ["250ms", "1s", "5s"],
    }


if __name__ == "__main__":
    main()
