"""Mutated records through decoder and writer: nothing crashes, and each record ends in the calls or in the dead letters.

`python -m benchmarks.fuzz_ingest --records 10000000 --seed 1` works in a child process, so that a crash is seen and named, and
prints how far it is; `--from-block N` goes on after an interruption. With `--store DIR` everything is written to an embedded
store as well, which is slower. Every block is of one format; they take turns.
"""

import argparse
import multiprocessing
import queue
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.fuzz_mutations import Mutations, recent_start
from core.clock import SystemClock
from core.config import BUILTIN_FORMATS, FormatSettings, KafkaSettings, Settings, StoreSettings
from ingest.batch import Batch, Partition, Slice
from ingest.formats import build_format
from ingest.intake import Intake, build_intake
from ingest.lines import Lines
from ingest.writer import BatchWriter
from storage.contract import Capabilities, Params, Store
from storage.migrate import migrate
from storage.open import open_store

BLOCK = 5_000
SAMPLES = "samples"
MANY_CALLS = ("otel", "auto", SAMPLES)
"""A record of these may hold several rows."""
_FORMATS = {
    "mapped": FormatSettings.model_validate(
        {
            "fields": {
                "ts": "ts", "status": {"path": "status", "values": {"OK": 200}}, "latency_ms": {"path": "latency_ms",
                "unit": "s"},
                "tenant": "attributes.tenant", "prompt_tokens": {"path": "usage.prompt_tokens", "scale": 1000}, "route": "path",
            },
            "unmapped": "attributes",
        }
    )
}  # fmt: skip
FORMATS = (*BUILTIN_FORMATS, "mapped", SAMPLES)


class CountingStore:
    """Keeps only where rows came from, of one batch at a time."""

    def __init__(self) -> None:
        self.offsets: dict[str, np.ndarray] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name="counting", version="0", arrow=True, owner=False)

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        rows.validate(full=True)
        if "offset" in rows.column_names:
            assert table not in self.offsets, f"two inserts into {table}"
            self.offsets[table] = rows.column("offset").to_numpy()

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        raise AssertionError(f"the counting store answers no {sql!r}")

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        raise AssertionError(f"the counting store answers no {sql!r}")

    def command(self, sql: str, params: Params | None = None) -> None:
        raise AssertionError(f"the counting store runs no {sql!r}")

    def close(self) -> None:
        """Nothing to release."""


class Fuzz:
    """Runs blocks of mutated records and checks each record's end. Raises AssertionError where one has none, or two."""

    def __init__(self, seed: int, *, block: int = BLOCK, engine: Store | None = None) -> None:
        self._mutations = Mutations(seed, recent_start())
        self._block = block
        self._engine = engine
        if engine is not None:
            engine.command("SYSTEM STOP MERGES")  # retention would remove samples of 1970 before they are counted
        self._intakes = {name: _intake(name) for name in FORMATS}
        self.outcomes: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """One block, in the shapes in which both Kafka clients hand it over."""
        name = FORMATS[number % len(FORMATS)]
        values = self._mutations.block(number, self._block, name)
        shaped: Sequence[bytes] = Lines.of(values) if (number // len(FORMATS)) % 2 else values
        first = number * self._block
        at = Partition(SAMPLES if name == SAMPLES else f"fuzz-{name}", number)
        slice_ = Slice(
            partition=at, offsets=np.arange(first, first + len(values)), values=shaped, size_bytes=sum(map(len, values)),
            times_ms=np.full(len(values), int(time.time() * 1000)),
        )  # fmt: skip
        prepared = self._intakes[name].prepare(Batch(slices=(slice_,), name=f"fuzz/{number}"))
        store = CountingStore()
        BatchWriter(store=store, clock=SystemClock(), dead_letter_bytes=4096, watermarks=False).write(prepared)
        letters = store.offsets.pop("dead_letters", np.empty(0, np.int64))
        rows = store.offsets.pop("samples" if name == SAMPLES else "calls", np.empty(0, np.int64))
        kept = np.unique(rows) if name in MANY_CALLS else rows
        ends = np.sort(np.concatenate([kept, letters]))
        assert not store.offsets, f"block {number}: rows in {sorted(store.offsets)}"
        assert np.array_equal(ends, slice_.offsets), f"block {number} ({name}): a record is in no table, or in two"
        self.outcomes["read"] += len(kept)
        self.outcomes.update(reject.reason for reject in prepared.rejects)
        assert not self.outcomes["unreadable"], f"block {number} ({name}): a format failed, see the log"
        if self._engine is not None:
            BatchWriter(store=self._engine, clock=SystemClock(), dead_letter_bytes=4096, watermarks=False).write(prepared)
            assert in_engine(self._engine, at) == (len(rows), len(letters)), f"block {number} ({name}): the engine has others"


def in_engine(store: Store, at: Partition) -> tuple[int, int]:
    """Rows and dead letters that the engine has of a block."""
    table = "samples" if at.topic == SAMPLES else "calls"
    params: Params = {"topic": at.topic, "number": at.number}
    where = "WHERE topic = {topic:String} AND partition = {number:Int32}"
    counted = [store.arrow(f"SELECT count() AS n FROM {one} {where}", params) for one in (table, "dead_letters")]
    rows, letters = (int(one.column("n")[0].as_py()) for one in counted)
    return rows, letters


def _intake(name: str) -> Intake:
    kafka = KafkaSettings.model_validate({"samples_topic": SAMPLES if name == SAMPLES else ""})
    return build_intake(Settings(kafka=kafka), build_format("tpscope" if name == SAMPLES else name, _FORMATS))


def _work(
    seed: int, blocks: Iterable[int], progress: "multiprocessing.Queue[tuple[int, dict[str, int]]]", directory: str
) -> None:
    with ExitStack() as stack:
        engine = None
        if directory:
            engine = stack.enter_context(closing(open_store(StoreSettings(url=f"chdb://{directory}"), owner=True)))
            migrate(engine)
        fuzz = Fuzz(seed, engine=engine)
        for number in blocks:
            progress.put((number, {}))
            fuzz.run(number)
            progress.put((number, dict(fuzz.outcomes)))


def main() -> None:
    """Run, tell, and fail where a block does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from-block", type=int, default=0)
    parser.add_argument("--store", default="", help="a directory for an embedded store that is written as well")
    options = parser.parse_args()
    last = -(-options.records // BLOCK)
    context = multiprocessing.get_context("spawn")
    progress = context.Queue()
    blocks = range(options.from_block, last)
    worker = context.Process(target=_work, args=(options.seed, blocks, progress, options.store))
    started, told = time.monotonic(), 0.0
    worker.start()
    done, current, outcomes = 0, options.from_block, dict[str, int]()
    while worker.is_alive() or not progress.empty():
        try:
            current, found = progress.get(timeout=1)
        except queue.Empty:
            continue
        done, outcomes = done + bool(found), found or outcomes
        if time.monotonic() - told > 10 or done == len(blocks):
            told = time.monotonic()
            rate = done * BLOCK / (told - started)
            print(f"seed {options.seed} block {current} of {last}: {done * BLOCK:,} records, {rate:,.0f}/s", flush=True)
    worker.join()
    if worker.exitcode:
        sys.exit(
            f"block {current} failed; repeat it with --seed {options.seed} --from-block {current} (exit {worker.exitcode})"
        )
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"outcomes {dict(sorted(outcomes.items(), key=lambda one: -one[1]))}")
    print(
        f"RESULT name=fuzz value={done * BLOCK} unit=records seed={options.seed} crashes=0 lost=0 doubled=0 peak_mib={peak_mib}"
    )


if __name__ == "__main__":
    main()
