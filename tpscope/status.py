"""`tpscope status`: the store, the pipeline and the jobs on one screen."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from rich.console import Console
from rich.markup import escape

from core.config import Settings
from core.record import DIMENSIONS
from core.types import JobState
from storage.calls import count_calls
from storage.capacity import read_limits
from storage.cardinality import other_calls
from storage.contract import Store
from storage.dead_letters import count_dead_letters
from storage.health import stats, write_obstacle
from storage.incidents import read_incidents
from storage.jobs import read_jobs
from storage.learning import read_learning
from storage.watermarks import read_watermarks
from tpscope.reading import reading


def run_status(settings: Settings, *, as_json: bool) -> int:
    """Print the status; exit code 1 when a job fails or an incident fires."""
    with reading(settings) as store:
        report = read_status(store)
    if as_json:
        from tpscope.options import print_json

        print_json(report)
    else:
        _print(report)
    return 1 if report["attention"] else 0


def read_status(store: Store) -> dict[str, Any]:
    """Everything that `status` shows, as JSON-ready values; times in RFC 3339."""
    figures = stats(store)
    jobs = read_jobs(store)
    letters = count_dead_letters(store)
    firing = read_incidents(store, firing_only=True)
    obstacle = write_obstacle(store)
    attention = [f"nothing can be written: {obstacle}"] if obstacle else []
    attention += [f"job {job.name} fails: {job.last_error}" for job in jobs if _fails(job)]
    attention += [f"incident since {incident.started_at:%H:%M} UTC: {incident.title}" for incident in firing]
    return {
        "at": _text(datetime.now(UTC)),
        "engine": store.capabilities.name,
        "version": store.capabilities.version,
        "calls": figures.calls,
        "calls_per_s": _rate(store),
        "bytes_on_disk": figures.bytes_on_disk,
        "first_call": _text(figures.first_ts),
        "last_call": _text(figures.last_ts),
        "dead_letters": {str(why): int(count) for why, count in zip(letters["reason"], letters["letters"], strict=True)},
        "other_values": other_calls(store, DIMENSIONS, datetime.now(UTC)),
        "jobs": [{**asdict(job), **{name: _text(getattr(job, name)) for name in _JOB_TIMES}} for job in jobs],
        "watermarks": [
            {
                "topic": mark.topic,
                "partition": mark.partition,
                "event_at": _text(mark.event_at),
                "next_offset": mark.next_offset,
                "arrived_at": _text(mark.arrived_at),
                "delay_s": mark.delay_s,
                "lag": mark.lag,
                "batch_records": mark.records,
                "attempts": mark.attempts,
            }
            for mark in read_watermarks(store)
        ],
        "learning": [
            {"selection": one.selector.words, "have_h": round(one.have_h, 1), "need_h": one.need_h}
            for one in read_learning(store, datetime.now(UTC))
        ],
        "limits": [
            {"name": one.name, "probability": _number(one.probability), "words": one.words} for one in read_limits(store)
        ],
        "firing": [incident.title for incident in firing],
        "attention": attention,
    }


def _rate(store: Store) -> float:
    """Calls a second over the last whole minute but one, which has arrived as far as it will."""
    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    return count_calls(store, end - timedelta(minutes=1), end) / 60


_JOB_TIMES = ("cursor", "last_success_at", "last_error_at")


def _fails(job: JobState) -> bool:
    return job.last_error_at is not None and (job.last_success_at is None or job.last_error_at > job.last_success_at)


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _print(report: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    letters = ", ".join(f"{count} {reason}" for reason, count in report["dead_letters"].items())
    lines = [
        ("store", f"{report['engine']} (ClickHouse {report['version']}), {report['bytes_on_disk'] / 1e6:,.0f} MB"),
        ("rate", f"{report['calls_per_s']:,.1f} calls a second in the last whole minute but one"),
        ("calls", f"{report['calls']:,} from {report['first_call'] or '-'} to {report['last_call'] or '-'}"),
        ("dead letters", letters or "none"),
    ]
    if report["other_values"]:
        others = ", ".join(f"{column} of {count:,} calls" for column, count in report["other_values"].items())
        lines.append(("too many", f"values, written as __other__ in the last hour: {others} (see cardinality)"))
    for mark in report["watermarks"]:
        place = f"{mark['topic']}/{mark['partition']}"
        text = f"{place} up to {mark['event_at']}, next offset {mark['next_offset']}, {mark['delay_s']:.1f} s after the event"
        text += f"; lag {mark['lag']:,}, last batch {mark['batch_records']:,} records at {mark['arrived_at']}"
        if mark["attempts"] > 1:
            text += f", at attempt {mark['attempts']}"
        lines.append(("arrived", text))
    for job in report["jobs"]:
        lines.append(
            ("job", f"{job['name']}: last success {job['last_success_at'] or 'never'}, took {job['duration_s']:.1f} s")
        )
    if report["learning"]:
        first = report["learning"][0]
        text = f"{len(report['learning'])} selections, nothing of them pages; {first['selection']} has {first['have_h']:g} of "
        lines.append(("learning", f"{text}{first['need_h']:g} hours"))
    lines += [("limit", f"{limit['name']}: {limit['words']}") for limit in report["limits"]]
    for name, text in lines:
        console.print(f"{name:<13}{escape(text)}", highlight=False)
    for line in report["attention"]:
        console.print(f"[bold red]attention[/bold red] {escape(line)}")
    if not report["attention"]:
        console.print("[green]nothing needs attention[/green]")
