"""Scripted incidents through the whole service: `make bench-incidents [ARGS='--weeks 4 --incidents 60 --seeds 501']`.

The simulator draws four weeks at 10 calls a second of a fleet with about 200 selections (`benchmarks/incident_fleet.py`,
frozen); the calls go through the real insert path into an embedded store, rollups and all. The jobs' own code then judges the
weeks after the first minute by minute, as `tpscope analyze` does: baselines are built anew every day from what was known then,
detection carries its state, explanations read the single calls of the incident's window.

An incident is *found* when an anomaly that overlaps it was known (its minute judged) within five minutes of its beginning,
within an hour for what creeps. *False* is an anomaly that overlaps no incident (15 minutes of aftermath allowed). The *rank* of
the true selection is that among the causes of the anomaly that found it, in its last state. References are what was aimed at.
`--keep DIR` keeps the store and uses it again; `--short` is a week of learning, four days and 18 incidents: each kind once.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from analytics.jobs import AnalysisReport, analyze
from benchmarks.incident_fleet import JUDGING_SEEDS, LEARNED, START, Planned, fleet, planned
from core.config import Settings, StoreSettings
from core.series import Selector
from core.types import Anomaly
from storage.bulk import bulk_insert
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tpscope.history import fill_calls
from tpscope.simulate.generate import TrafficGenerator

_AFTERMATH = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_FILLED = "filled"
_MOST_MERGING_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one incident: minutes until it was known (inf: never), and the true selection's rank (0: not named)."""

    planned: Planned
    anomaly: Anomaly | None
    delay: float
    rank: int

    @property
    def found(self) -> bool:
        return self.delay <= self.planned.within / _MINUTE


def main() -> None:
    parser = argparse.ArgumentParser(description="scripted incidents through the whole service")
    parser.add_argument("--weeks", type=float, default=4.0, help="span, the first week of learning included")
    parser.add_argument("--incidents", type=int, default=60)
    parser.add_argument("--rate", type=float, default=10.0, help="calls a second")
    parser.add_argument("--seeds", "--seed", type=int, nargs="+", default=[JUDGING_SEEDS[0]])
    parser.add_argument("--keep", type=Path, help="folder for the stores, used again by the next run")
    parser.add_argument("--short", action="store_true", help="eleven days and 18 incidents")
    options = parser.parse_args()
    weeks, count = (11 / 7, 18) if options.short else (options.weeks, options.incidents)
    end = START + timedelta(weeks=weeks)
    judged: list[Judged] = []
    false: list[Anomaly] = []
    twice, minutes = 0, 0
    for seed in options.seeds:
        plan = planned(seed, count, end)
        with filled(seed, plan, end, options.rate, options.keep) as store:
            began = time.perf_counter()
            report = analyze(store, START + LEARNED, end, Settings(), 0)
            print(f"seed {seed}: {report.minutes:,} minutes judged in {time.perf_counter() - began:.0f} s", flush=True)
        ours, theirs = _matched(plan, report)
        judged += ours
        false += theirs
        twice += len(report.anomalies) - len(theirs) - len({one.anomaly.id for one in ours if one.anomaly})
        minutes += report.minutes
    _tell(judged, false)
    _results(judged, false, twice, minutes)


@contextmanager
def filled(seed: int, plan: list[Planned], end: datetime, rate: float, keep: Path | None) -> Iterator[Store]:
    """A store with the calls of the fleet, incidents and all."""
    folder = Path(tempfile.mkdtemp(prefix="bench-incidents-")) if keep is None else keep / f"{seed}-{len(plan)}-{rate:g}"
    done = folder / _FILLED
    settings = StoreSettings(url=f"chdb://{folder / 'store'}", query_timeout=timedelta(minutes=10), max_memory="8GiB")
    store = open_store(settings, owner=True)
    try:
        migrate(store, None)
        if not done.exists():
            began = time.perf_counter()
            generator = TrafficGenerator(fleet(), rate, START, seed)
            with bulk_insert(store):
                incidents = [one.incident for one in plan]
                # Imported history is spared by retention, whatever its age.
                rows = fill_calls(store, generator, START, end, lambda rows, share: None, incidents, "import:fleet")
            print(f"seed {seed}: {rows:,} calls written in {time.perf_counter() - began:.0f} s", flush=True)
            done.touch()
        _merged(store)
        yield store
    finally:
        store.close()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _merged(store: Store) -> None:
    """Wait until the merges of what was just filled are over: beside them a day of percentile states has no room in memory."""
    until = time.monotonic() + _MOST_MERGING_S
    while time.monotonic() < until and store.arrow("SELECT count() AS merges FROM system.merges").column("merges")[0].as_py():
        time.sleep(1.0)


def _matched(plan: list[Planned], report: AnalysisReport) -> tuple[list[Judged], list[Anomaly]]:
    """Each incident with the anomaly that found it first, and the anomalies that are of none."""
    false = [one for one in report.anomalies if not any(_overlap(one, incident) for incident in plan)]
    judged = []
    for incident in plan:
        ours = [one for one in report.anomalies if _overlap(one, incident)]
        first = min(ours, key=lambda one: (_known_at(one), -one.score), default=None)
        delay = max((_known_at(first) - incident.incident.start) / _MINUTE, 0.0) if first else np.inf
        judged.append(Judged(planned=incident, anomaly=first, delay=delay, rank=_rank(first, incident.truth)))
    return judged, false


def _overlap(anomaly: Anomaly, incident: Planned) -> bool:
    ended = anomaly.ended_at or anomaly.last_at + _MINUTE
    opened_in_time = _known_at(anomaly) > incident.incident.start
    return opened_in_time and anomaly.started_at < incident.incident.end + _AFTERMATH and ended > incident.incident.start


def _known_at(anomaly: Anomaly) -> datetime:
    return anomaly.opened_at or anomaly.started_at


def _rank(anomaly: Anomaly | None, truth: dict[str, str]) -> int:
    if anomaly is None:
        return 0
    names = [cause.selector for cause in anomaly.causes]
    wanted = Selector.of(truth)
    return names.index(wanted) + 1 if wanted in names else 0


def _tell(judged: list[Judged], false: list[Anomaly]) -> None:
    for one in judged:
        where = ", ".join(f"{name} {value}" for name, value in one.planned.truth.items())
        start = one.planned.incident.start
        said = f"rank {one.rank}: {one.anomaly.explanation}" if one.anomaly else "nothing"
        print(f"{start:%m-%d %H:%M} {'' if one.found else 'MISSED '}{one.planned.kind} ({where}), {one.delay:.1f} min; {said}")
    for anomaly in false:
        print(f"FALSE {anomaly.started_at:%m-%d %H:%M} score {anomaly.score:.2f}: {anomaly.explanation}")
    by_kind: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_kind[one.planned.kind].append(one)
    print(f"\n{'kind':<28}{'incidents':>10}{'in time':>9}{'first':>7}{'first 3':>9}{'median delay':>14}")
    for kind, group in sorted(by_kind.items()):
        delays = np.median([one.delay for one in group])
        first, three = sum(one.rank == 1 for one in group), sum(1 <= one.rank <= 3 for one in group)
        print(f"{kind:<28}{len(group):>10}{sum(one.found for one in group):>9}{first:>7}{three:>9}{delays:>14.1f}")


def _results(judged: list[Judged], false: list[Anomaly], twice: int, minutes: int) -> None:
    count, weeks = max(len(judged), 1), max(minutes / 10_080, 1e-9)
    result("incidents_found_in_time", sum(one.found for one in judged) / count, "1", 0.9)
    result("incidents_found_at_all", sum(np.isfinite(one.delay) for one in judged) / count, "1", 0.9)
    result("incidents_named_first", sum(one.rank == 1 for one in judged) / count, "1", 0.8)
    result("incidents_named_in_first_three", sum(1 <= one.rank <= 3 for one in judged) / count, "1", 0.95)
    result("incidents_false_a_week", len(false) / weeks, "1/week", 2.0)
    result("incidents_told_twice", twice / count, "1", 0.0)


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.6g} unit={unit} reference={reference:.6g}", flush=True)


if __name__ == "__main__":
    main()
