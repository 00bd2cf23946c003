"""Alerts as they are meant to be: fast, complete and rare (`make bench-alerts [ARGS='--days 7 --breaks 20']`).

*Latency*: everything runs on this machine: a real Apache Kafka, a process that produces 5,000 calls a second, the whole service
in this process, and a webhook. A service at a time fails; the arrival of the threshold rule's message is measured from the
record that brings the error rate of the last minute above the limit, that of the anomaly from the first record that failed
(`benchmarks/alert_latency.py`).

*Weeks*: the frozen fleet (`benchmarks/incident_fleet.py`: 189 selections, 10 calls a second), a week of learning and then
`--days`, once without and once with 20 incidents a week of the seven kinds below, with the shipped rules. The service's own
code judges minute by minute on a clock that does not wait (`tpscope/replay.py`). An incident counts as *opened* when a message
of an overlapping incident was made after its beginning; a *false* one is a message about an incident that overlaps none of
them (15 minutes of aftermath allowed). References are what was aimed at. `--keep DIR` keeps the filled stores.
"""

import argparse
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.alert_latency import Latencies, measure
from benchmarks.bench_incidents import filled, result
from benchmarks.incident_fleet import JUDGING_SEEDS, LEARNED, START, Planned, planned
from core.config import Settings
from storage.contract import Store
from tests.support.engines import EngineMissing
from tpscope.replay import Told, replay

KINDS = (
    "provider outage",
    "rate limiting",
    "cache collapse",
    "surge",
    "burst of one tenant",
    "latency creep of a provider",
    "silent route",
)
A_WEEK = 20
RATE = 10.0

_AFTERMATH = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_WEEK = timedelta(weeks=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="latency of alerts, false and missed incidents of a quiet and a bad week")
    parser.add_argument("--days", type=float, default=7.0, help="length of the quiet and of the bad week; 0: neither")
    parser.add_argument(
        "--breaks", type=int, default=20, help="failures whose messages are timed, 193 s each and 5 minutes once; 0: none"
    )
    parser.add_argument("--rate", type=int, default=5_000, help="calls a second while messages are timed")
    parser.add_argument("--seeds", "--seed", type=int, nargs="+", default=[JUDGING_SEEDS[0]])
    parser.add_argument("--keep", type=Path, help="folder for the stores as they are before the replay")
    options = parser.parse_args()
    if options.breaks:
        try:
            tell_latencies(measure(options.breaks, options.rate))
        except EngineMissing as missing:
            print(f"bench_alerts: latency is not measured, {missing}")
    if options.days:
        weeks(options.seeds, timedelta(days=options.days), options.keep)


def tell_latencies(found: Latencies) -> None:
    for name, seconds, reference in (("threshold", found.threshold_s, 15.0), ("anomaly", found.anomaly_s, 90.0)):
        known = [one for one in seconds if one is not None]
        print(f"{name}: {len(known)} of {len(seconds)} arrived; seconds: {', '.join(f'{one:.1f}' for one in sorted(known))}")
        result(f"alert_{name}_arrived", len(known) / max(len(seconds), 1), "1", 1.0)
        for quantile in (0.5, 0.95):
            value = float(np.quantile(known, quantile)) if known else np.inf
            result(f"alert_{name}_p{quantile * 100:.0f}", value, "s", reference)


def weeks(seeds: list[int], length: timedelta, keep: Path | None) -> None:
    """The quiet and the bad week of each seed."""
    end, share = START + LEARNED + length, len(seeds) * (length / _WEEK)
    quiet = [one for seed in seeds for one in lived(seed, [], end, keep)]
    for one in quiet:
        print(f"FALSE {one.at:%m-%d %H:%M} {one.incident.rule}: {one.incident.title}")
    result("false_incidents_of_a_quiet_week", len(quiet) / share, "1/week", 2.0)
    delays: list[float] = []
    false = 0
    for seed in seeds:
        plan = planned(seed, round(A_WEEK * (length / _WEEK)), end, KINDS)
        found = lived(seed, plan, end, keep)
        delays += [told_delay(one, found) for one in plan]
        false += len([one for one in found if not any(overlap(one, incident) for incident in plan)])
    opened = [delay for delay in delays if np.isfinite(delay)]
    print(f"bad week: {len(opened)} of {len(delays)} opened; minutes: {', '.join(f'{one:.1f}' for one in sorted(delays))}")
    result("opened_of_a_bad_week", A_WEEK * len(opened) / max(len(delays), 1), "of 20", 18.0)
    result("median_delay_of_a_bad_week", float(np.median(delays)) if delays else np.inf, "min", 3.0)
    result("false_incidents_of_a_bad_week", false / share, "1/week", 2.0)


def lived(seed: int, plan: list[Planned], end: datetime, keep: Path | None) -> list[Told]:
    """What the service would have told of the time from `START + LEARNED` to `end`."""
    with filled(seed, plan, end, RATE, keep) as store:
        began = time.perf_counter()
        print(f"seed {seed}, {len(plan)} incidents: judging", flush=True)

        def say(at: datetime) -> None:
            if at.hour % 12 == 0:
                print(f"{time.perf_counter() - began:5.0f} s: judged until {at:%m-%d %H:%M}", flush=True)

        found = replay(store, shipped(), START + LEARNED, end, say)
        took = time.perf_counter() - began
        result("replay_times_as_fast", (end - START - LEARNED).total_seconds() / took, "1", 1.0)
        for one in plan:
            describe(one, found)
        forget(store)
    return found


def shipped() -> Settings:
    """The configuration of a new user, who has entered a webhook and nothing else."""
    return Settings.model_validate({"receivers": [{"name": "hook", "url": "http://127.0.0.1:9/"}]})


def describe(one: Planned, found: list[Told]) -> None:
    where = ", ".join(f"{name} {value}" for name, value in one.truth.items())
    ours = [told for told in found if overlap(told, one)]
    said = f"{ours[0].incident.rule}: {ours[0].incident.title}" if ours else "MISSED"
    print(f"{one.incident.start:%m-%d %H:%M} {one.kind} ({where}), {told_delay(one, found):.1f} min; {said}", flush=True)


def told_delay(one: Planned, found: list[Told]) -> float:
    """Minutes from the incident's beginning to the first message about it; inf: there was none."""
    return min(((told.at - one.incident.start) / _MINUTE for told in found if overlap(told, one)), default=np.inf)


def overlap(told: Told, planned_one: Planned) -> bool:
    incident, script = told.incident, planned_one.incident
    ended = incident.resolved_at is None or incident.resolved_at > script.start
    return told.at > script.start and incident.started_at < script.end + _AFTERMATH and ended


def forget(store: Store) -> None:
    """Leave only the calls: a store that is kept is replayed anew."""
    for table in ("anomalies", "baselines", "models", "detector_state", "incidents", "notifications", "jobs", "watermarks"):
        store.command(f"TRUNCATE TABLE IF EXISTS {table}")


if __name__ == "__main__":
    main()
