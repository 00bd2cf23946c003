"""Change over days on simulated fleets (`make bench-creep`): by which day a creep is known, and what calm weeks tell.

The frozen fleet (`benchmarks/incident_fleet.py`) at `--rate` calls a second over 21 days. The hours are counted straight from
the generator's calls, for all traffic and every value of six dimensions, and judged at the end of each day as the daily job
does. In the fleets that creep, one route or provider grows slower from the tenth day on, to 1.5, 2 or 3 times after ten days.
"""

import argparse
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from analytics.creep import LONGEST
from analytics.drifting import NEEDED, Days, judge_days
from analytics.features import Floats
from analytics.reading import SCOPES
from benchmarks.bench_incidents import result
from benchmarks.incident_fleet import START, fleet
from core.series import Selector
from core.types import Anomaly
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident
from tpscope.simulate.scenario import IncidentSpec

_DAYS, _CALM, _CREEPS = 21, 10, 10
_DAY = timedelta(days=1)
_CASES: tuple[tuple[dict[str, str], float], ...] = (
    ({"provider": "openai"}, 1.5),
    ({"route": "/v1/checkout/orders"}, 1.5),
    ({"provider": "stripe"}, 2.0),
    ({"route": "/v1/catalog/products"}, 2.0),
    ({"route": "/v1/assist/recommendations"}, 3.0),
    ({"provider": "mistral"}, 3.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="creep over ten days: known by which day; false alarms of calm weeks")
    parser.add_argument("--rate", type=float, default=3.0, help="calls a second")
    parser.add_argument("--calm", type=int, default=2, help="fleets without any incident")
    options = parser.parse_args()
    false = 0
    for seed in range(701, 701 + options.calm):
        found = _told(_hours(seed, options.rate, None))
        false += len(found)
        for one in found:
            print(f"FALSE {one.last_at:%m-%d}: {one.explanation}", flush=True)
    known, named, others = [], 0, 0
    for number, (match, total) in enumerate(_CASES):
        told = _told(_hours(801 + number, options.rate, _creep(match, total)))
        ours = [one for one in told if one.last_at > START + _CALM * _DAY]
        first = min(ours, key=lambda one: one.last_at, default=None)
        day = (first.last_at - START) / _DAY - _CALM if first else np.inf
        known.append(day)
        named += first is not None and first.selector == Selector.of(match)
        others += len(told) - min(len(ours), 1)
        print(f"{match} x{total:g}: day {day:g}; {first.explanation if first else 'nothing'}", flush=True)
    result("creep_known", float(np.isfinite(known).mean()), "1", 1.0)
    result("creep_known_by_day_median", float(np.median(known)), "day", 7.0)
    result("creep_named", named / len(_CASES), "1", 0.8)
    result("creep_told_beside", others / len(_CASES), "1", 0.0)
    result("creep_false_a_week_and_fleet", false / (options.calm * (_DAYS - 6) / 7.0), "1/week", 0.1)


def _creep(match: dict[str, str], total: float) -> ScheduledIncident:
    spec = IncidentSpec(
        name="creep", kind="latency_creep", match=match, magnitude=total, duration=_CREEPS * _DAY, into="", description="creep"
    )  # fmt: skip
    return ScheduledIncident(spec, START + _CALM * _DAY)


def _hours(seed: int, rate: float, incident: ScheduledIncident | None) -> Days:
    """All days of a fleet."""
    generator = TrafficGenerator(fleet(), rate, START, seed)
    held: dict[Selector, dict[str, Floats]] = {}
    for day in range(_DAYS):
        at = START + day * _DAY
        calls = generator.generate(at, at + _DAY, [incident] if incident else [])
        frame = calls.select(["ts", "latency_ms", *(name for by in SCOPES for name in by)]).to_pandas()
        frame["hour"] = pd.DatetimeIndex(frame["ts"]).hour
        for by in SCOPES:
            groups = frame.groupby([*by, "hour"], observed=True)["latency_ms"]
            summary = groups.quantile(np.array([0.5, 0.95])).unstack()
            table = pd.DataFrame({"p50": summary[0.5], "p95": summary[0.95], "calls": groups.size(), "sum": groups.sum()})
            for keys, row in zip(table.index, table.to_numpy(), strict=True):
                labels, hour = (keys[:-1], keys[-1]) if by else ((), keys)
                if "" not in labels:
                    _put(held, Selector.of(dict(zip(by, map(str, labels), strict=True))), day, int(hour), row)
    values = {metric: np.stack([rows[metric] for rows in held.values()]) for metric in NEEDED}
    return Days(selectors=tuple(held), weekday=np.arange(_DAYS) % 7, values=values, end=START + _DAYS * _DAY)


def _put(held: dict[Selector, dict[str, Floats]], selector: Selector, day: int, hour: int, row: Floats) -> None:
    rows = held.setdefault(selector, {metric: np.full((_DAYS, 24), np.nan) for metric in NEEDED})
    p50, p95, calls, total_ms = row
    for metric, value in zip(NEEDED, (p50, p95, calls / 3600.0, total_ms / 3.6e6), strict=True):
        rows[metric][day, hour] = value


def _told(days: Days) -> list[Anomaly]:
    """Each anomaly as it was told first, judged at the end of every day from the sixth on."""
    first: dict[str, Anomaly] = {}
    standing: Sequence[Anomaly] = ()
    for day in range(6, _DAYS + 1):
        since, end = max(day - LONGEST, 0), START + day * _DAY
        known = {metric: matrix[:, since:day] for metric, matrix in days.values.items()}
        found = judge_days(
            Days(selectors=days.selectors, weekday=days.weekday[since:day], values=known, end=end), standing, end
        )  # fmt: skip
        for one in found:
            first.setdefault(one.id, one)
        standing = [one for one in found if one.ended_at is None]
    return list(first.values())


if __name__ == "__main__":
    main()
