"""What the commands of `tpscope dead-letters` do, once their options are read."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from core.clock import SystemClock
from core.config import Settings
from core.errors import ConfigError
from ingest.cardinality import build_guard
from ingest.formats import build_format
from ingest.replay import Replay, ReplayReport, joined
from ingest.replay_target import CallTarget, SampleTarget, Target
from ingest.time_rule import TIME_REASONS
from storage.cardinality import known_values
from storage.dead_letters import LetterFilter, StoredLetter, count_dead_letters, find_dead_letters
from tpscope.options import print_json
from tpscope.reading import reading

_SHOWN_BYTES = 4_000


def run_list(settings: Settings, wanted: LetterFilter, limit: int, page: int, *, as_json: bool) -> int:
    """Print a page of letters, newest first, and how many are open by reason."""
    with reading(settings) as store:
        found = find_dead_letters(store, wanted, limit + 1, skip=(page - 1) * limit)
        counts = count_dead_letters(store)
    letters, more = found[:limit], len(found) > limit
    by_reason = {str(why): int(count) for why, count in zip(counts["reason"], counts["letters"], strict=True)}
    if as_json:
        print_json({"open": by_reason, "page": page, "more": more, "letters": [_plain(one) for one in letters]})
    else:
        _print_list(letters, by_reason, page, more=more)
    return 0


def run_show(settings: Settings, place: str, *, raw: bool, as_json: bool) -> int:
    """Print the letters of one record, or only the bytes of the newest."""
    topic, partition, offset = _coordinates(place)
    with reading(settings) as store:
        letters = find_dead_letters(store, LetterFilter(topic=topic, partition=partition, offset=offset), 20, payload=True)
    if not letters:
        raise ConfigError(place, "there is no such dead letter; `tpscope dead-letters list` names those there are")
    if raw:
        sys.stdout.buffer.write(letters[0].letter.payload)
    elif as_json:
        print_json([_plain(one) | _payload(one) for one in letters])
    else:
        for one in letters:
            _print_letter(one)
    return 0


def run_replay(settings: Settings, wanted: LetterFilter, format_name: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Replay and say what became of the letters; exit code 1 when some stay dead."""
    report, judged = replay(settings, wanted, format_name, dry_run=dry_run)
    if as_json:
        print_json(_report_plain(report, judged, dry_run=dry_run))
    else:
        _print_report(report, judged, dry_run=dry_run)
    return 1 if report.left else 0


def replay(
    settings: Settings, wanted: LetterFilter, format_name: str | None, *, dry_run: bool = False
) -> tuple[ReplayReport, dict[str, int]]:
    """Replay; what the rule for far times refused is left out unless its reason is asked for, and counted beside the report."""
    format_ = build_format(format_name or settings.kafka.format, settings.formats, settings.kafka.schema_registry)
    judged: dict[str, int] = {}
    with reading(settings) as opened:
        if wanted.reason is None:
            counts = count_dead_letters(opened)
            found = Counter(dict(zip(counts["reason"], counts["letters"], strict=True)))
            judged = {why: int(found[why]) for why in TIME_REASONS if found[why]}
            wanted = replace(wanted, without_reasons=TIME_REASONS)
        topic = settings.kafka.samples_topic
        guard = build_guard(settings.cardinality)
        guard.seed(known_values(opened, settings.cardinality.limits, datetime.now(UTC)))
        targets: list[tuple[Target, LetterFilter]] = [
            (
                CallTarget(format=format_, guard=guard, samples_topic=topic),
                replace(wanted, without_topics=(topic,) if topic else ()),
            )
        ]
        if topic and wanted.topic in (None, topic):
            targets.append((SampleTarget(topic=topic), replace(wanted, topic=topic)))
        reports = [
            Replay(store=opened, target=target, clock=SystemClock(), dry_run=dry_run).run(chosen) for target, chosen in targets
        ]
        return joined(reports), judged


def _coordinates(place: str) -> tuple[str, int, int]:
    parts = place.rsplit("/", 2)
    try:
        topic, partition, offset = parts[0], int(parts[1]), int(parts[2])
    except (IndexError, ValueError):
        raise ConfigError(place, "is no TOPIC/PARTITION/OFFSET, for example gateway-calls/3/17") from None
    if not (0 <= partition < 2**31 and 0 <= offset < 2**63):
        raise ConfigError(place, "has a partition or an offset that cannot be")
    return topic, partition, offset


def _plain(one: StoredLetter) -> dict[str, Any]:
    letter = one.letter
    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "received_at": letter.received_at.isoformat(timespec="milliseconds"),
        "reason": letter.reason,
        "detail": letter.detail,
        "size_bytes": letter.size_bytes,
        "kept_bytes": one.kept_bytes,
        "cut": one.cut,
        "replayed_at": one.replayed_at.isoformat(timespec="milliseconds") if one.replayed_at else None,
    }


def _payload(one: StoredLetter) -> dict[str, str]:
    try:
        return {"payload": one.letter.payload.decode()}
    except UnicodeDecodeError:
        return {"payload_hex": one.letter.payload.hex()}


def _place(one: StoredLetter) -> str:
    return f"{one.letter.topic}/{one.letter.partition}/{one.letter.offset}"


def _print_list(letters: list[StoredLetter], by_reason: dict[str, int], page: int, *, more: bool) -> None:
    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("received (UTC)", "record", "reason", "bytes", "state", "detail"):
        table.add_column(name, overflow="fold" if name == "record" else "ellipsis", no_wrap=name not in ("record", "detail"))
    for one in letters:
        state = f"replayed {one.replayed_at:%Y-%m-%d %H:%M}" if one.replayed_at else "cut" if one.cut else "open"
        received = f"{one.letter.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            received, _place(one), one.letter.reason, f"{one.letter.size_bytes:,}", state, _printable(one.letter.detail)
        )
    if letters:
        console.print(table, highlight=False, markup=False)
    counted = ", ".join(f"{count:,} {reason}" for reason, count in by_reason.items())
    console.print(f"open: {counted or 'none'}", highlight=False, markup=False)
    if more:
        console.print(f"more on --page {page + 1}", highlight=False, markup=False)


def _print_letter(one: StoredLetter) -> None:
    console = Console(soft_wrap=True)
    kept = f"{one.letter.size_bytes:,} bytes"
    if one.cut:
        kept += f", of which {one.kept_bytes:,} are kept: it cannot be replayed (kafka.dead_letter_bytes keeps more)"
    lines = {
        "record": _place(one),
        "received": f"{one.letter.received_at:%Y-%m-%d %H:%M:%S} UTC",
        "reason": one.letter.reason,
        "detail": _printable(one.letter.detail),
        "size": kept,
        "replayed": f"{one.replayed_at:%Y-%m-%d %H:%M:%S} UTC" if one.replayed_at else "no",
    }
    for name, text in lines.items():
        console.print(f"{name:<10}{text}", highlight=False, markup=False)
    text = one.letter.payload[:_SHOWN_BYTES].decode(errors="backslashreplace")
    console.print(_printable(text), highlight=False, markup=False)
    if one.kept_bytes > _SHOWN_BYTES:
        console.print(f"… {one.kept_bytes - _SHOWN_BYTES:,} bytes more; --raw writes all", highlight=False, markup=False)


def _printable(text: str) -> str:
    """Without what a terminal would obey: the bytes may come from anybody."""
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in text)


def _report_plain(report: ReplayReport, judged: dict[str, int], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "replayed": report.replayed,
        "there_before": report.there_before,
        "cut": report.cut,
        "elsewhere": report.elsewhere,
        "unreadable": dict(report.unreadable),
        "examples": list(report.examples),
        "left_out": judged,
    }


def _print_report(report: ReplayReport, judged: dict[str, int], *, dry_run: bool) -> None:
    console = Console(stderr=True, soft_wrap=True)
    before = f", {report.there_before:,} of which were there already" if report.there_before else ""
    lines = [f"{report.replayed:,} dead letters {'can be replayed' if dry_run else 'replayed'}{before}"]
    if report.unreadable:
        reasons = ", ".join(f"{count:,} {why}" for why, count in report.unreadable.items())
        lines.append(f"still cannot be read: {reasons}; correct the format, or name another with --format")
        lines += [f"  {_printable(example)}" for example in report.examples]
    if report.elsewhere:
        lines.append(f"{report.elsewhere:,} are left to another replay that goes on; run this again in ten minutes")
    if report.cut:
        lines.append(f"{report.cut:,} cannot be replayed, since not all of their bytes were kept (kafka.dead_letter_bytes)")
    for why, count in judged.items():
        lines.append(f"{count:,} left out as {why} by the rule for far times; --reason {why} replays them all the same")
    for line in lines:
        console.print(line, highlight=False, markup=False)
