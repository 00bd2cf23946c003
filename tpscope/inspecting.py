"""`tpscope inspect`: what a file or a topic holds, which format reads it, or a mapping to begin with."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from core.config import Settings
from core.errors import ConfigError
from core.record import RECORD_SCHEMA
from ingest.formats import Decoded, build_auto, build_format
from ingest.formats.attributes import text_of
from ingest.formats.framed import FramedFormat, framed
from ingest.formats.proposal import Proposal, propose
from ingest.rows import Unreadable
from ingest.sampling import Sample, sample_file, sample_topic
from ingest.schema_registry import UnknownSchema
from tpscope.options import print_json

_SUFFIXES = frozenset({".ndjson", ".jsonl", ".json", ".csv", ".parquet", ".gz"})
_SHOWN_DETAILS = 3
_MAX_EXAMPLE = 80
_WIDTH = 160  # where the output is no terminal
_PROPOSED_NAME = "mine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one format reads of the sample.

    Attributes
    ----------
    records, readable : int
        Records that are of this format, and those of them that it can read.
    calls : int
        Calls in them; several a record in OpenTelemetry's messages.
    """

    name: str
    records: int
    readable: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a sample.

    Attributes
    ----------
    findings : tuple
        Most records first.
    refused : mapping of reason → (records, examples of details)
    columns : mapping of column → (share of the calls that have it, an example)
    proposal : Proposal or None
        For records of no known format.
    """

    sample: Sample
    findings: tuple[Finding, ...]
    refused: dict[str, tuple[int, list[str]]]
    columns: dict[str, tuple[float, str]]
    proposal: Proposal | None

    @property
    def readable(self) -> int:
        """Records that a known format reads."""
        return sum(one.readable for one in self.findings)


def run_inspect(settings: Settings, target: str, format_name: str | None, records: int, *, as_json: bool) -> int:
    """Sample, look and tell; exit code 1 when no record is readable."""
    if format_name is not None:
        build_format(format_name, settings.formats)  # a name that is not known is told before anything is read
    found = inspect_sample(settings, _sample(settings, target, records), format_name)
    if as_json:
        print_json(_as_json(found))
    else:
        console = Console(highlight=False)
        _tell(found, target, settings, console if console.is_terminal else Console(highlight=False, width=_WIDTH))
    return 0 if found.readable else 1


def _sample(settings: Settings, target: str, records: int) -> Sample:
    path = Path(target)
    if path.is_file():
        return sample_file(path, records)
    if path.suffix.lower() in _SUFFIXES or "/" in target:
        raise ConfigError(target, "there is no such file")
    if not settings.kafka.brokers:
        raise ConfigError(target, "is no file; to look at a topic set kafka.brokers in the configuration")
    return sample_topic(settings.kafka, target, records)


def inspect_sample(settings: Settings, sample: Sample, format_name: str | None = None) -> Inspection:
    """Recognise each record, or read all with the format of that name; propose a mapping for what no format knows."""
    auto = build_auto(settings.formats)
    refused: dict[str, tuple[int, list[str]]] = {}
    groups: dict[str, list[dict[str, Any]]] = {}
    registry = settings.kafka.schema_registry
    behind = framed(auto, registry) if registry.url else None
    for value in sample.values:
        record = _record(value, refused, behind)
        if record is not None:
            name, inner = (format_name, record) if format_name else auto.recognise(record)
            groups.setdefault(name, []).append(inner)
    unknown = groups.pop("", [])
    if unknown:
        _refuse(refused, "unknown_format", f"no format has the keys {', '.join(map(repr, list(unknown[0])[:8]))}", len(unknown))
    findings, decoded = _decode(settings, groups, refused)
    return Inspection(
        sample=sample,
        findings=findings,
        refused=refused,
        columns=_columns(decoded),
        proposal=propose(unknown) if unknown else None,
    )


def _decode(
    settings: Settings, groups: dict[str, list[dict[str, Any]]], refused: dict[str, tuple[int, list[str]]]
) -> tuple[tuple[Finding, ...], list[Decoded]]:
    findings, every = [], []
    for name, records in sorted(groups.items(), key=lambda group: -len(group[1])):
        decoded = build_format(name, settings.formats).decode_objects(records)
        for reject in decoded.rejects:
            _refuse(refused, reject.reason, f"{name}: {reject.detail}")
        readable = len(records) - len(decoded.rejects)
        findings.append(Finding(name=name, records=len(records), readable=readable, calls=decoded.rows.num_rows))
        every.append(decoded)
    return tuple(findings), every


def _record(
    value: object, refused: dict[str, tuple[int, list[str]]], behind: FramedFormat | None = None
) -> dict[str, Any] | None:
    if isinstance(value, Unreadable):
        _refuse(refused, value.reason, value.detail)
        return None
    if isinstance(value, bytes) and value[:1] == b"\0" and behind is not None:
        try:
            value = behind.unframed(value)
        except (UnknownSchema, ValueError) as error:
            _refuse(refused, "unknown_schema" if isinstance(error, UnknownSchema) else "not_as_schema", str(error))
            return None
    if isinstance(value, bytes):
        if not value.strip():
            _refuse(refused, "empty", "the record has no bytes")
            return None
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            _refuse(refused, "not_json", f"{error.msg} at column {error.colno}{_kind_of_bytes(error.doc)}")
            return None
    if not isinstance(value, dict):
        _refuse(refused, "not_object", f"a JSON object is expected, not {text_of(value)[:_MAX_EXAMPLE]!r}")
        return None
    return value


def _kind_of_bytes(text: str) -> str:
    return "; it looks like Avro or Protobuf: set kafka.schema_registry.url" if text[:1] == "\x00" else ""


def _refuse(refused: dict[str, tuple[int, list[str]]], reason: str, detail: str, records: int = 1) -> None:
    count, details = refused.get(reason, (0, []))
    if len(details) < _SHOWN_DETAILS and detail not in details:
        details = [*details, detail]
    refused[reason] = (count + records, details)


def _columns(every: Sequence[Decoded]) -> dict[str, tuple[float, str]]:
    """Column → share of the calls in which it is known, and an example; in the record's order, attributes last."""
    known: Counter[str] = Counter()
    examples: dict[str, str] = {}
    calls = 0
    for decoded in every:
        for row in decoded.rows.to_pylist(maps_as_pydicts="strict"):
            calls += 1
            told = {name: value for name, value in row.items() if name != "attributes" and _is_known(name, value)}
            told |= {f"attributes.{name}": value for name, value in row["attributes"].items()}
            for name, value in told.items():
                known[name] += 1
                if examples.get(name, "0") in ("0", "0.0", "false"):
                    examples[name] = _shown(value)
    order = [name for name in RECORD_SCHEMA.names if name in known]
    order += sorted(name for name in known if name not in RECORD_SCHEMA.names)
    return {name: (known[name] / calls, examples[name]) for name in order}


def _is_known(name: str, value: Any) -> bool:
    return value is not None and value != "" and not (name == "prompt_hash" and value == 0)


def _shown(value: Any) -> str:
    text = value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if hasattr(value, "isoformat") else text_of(value)
    return text if len(text) <= _MAX_EXAMPLE else text[: _MAX_EXAMPLE - 1] + "…"


def _tell(found: Inspection, target: str, settings: Settings, console: Console) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    total = len(found.sample.values)
    say(f"{target}: {total:,} of {found.sample.seen:,} records" + (f" ({found.sample.note})" if found.sample.note else ""))
    if not total:
        say("there is nothing to look at")
    for one in found.findings:
        calls = f", {one.calls:,} calls" if one.calls != one.readable else ""
        say(f"  {one.name}: {one.records / total:.0%} of the records; {one.readable:,} of {one.records:,} can be read{calls}")
    for reason, (records, details) in found.refused.items():
        say(f"  not read: {records:,} {reason} ({'; '.join(details)})")
    if found.columns:
        table = Table("column", "known", "example", box=None, pad_edge=False)
        for name, (share, example) in found.columns.items():
            table.add_row(name, f"{share:.0%}", example.replace("[", "\\["))
        console.print(table)
    if found.findings:
        say(_advice([one.name for one in found.findings], settings))
    if found.proposal is not None:
        _tell_proposal(found.proposal, found.refused["unknown_format"][0], say)


def _advice(names: list[str], settings: Settings) -> str:
    wanted = names[0] if len(names) == 1 else "auto"
    if settings.kafka.format in (wanted, "auto"):
        return f"The configuration's kafka.format {settings.kafka.format!r} reads them."
    return f"Set kafka.format: {wanted} (for a file: tpscope import --format {wanted})."


def _tell_proposal(proposal: Proposal, records: int, say: Any) -> None:
    if proposal.settings is None:
        say("No mapping can be proposed: no field holds the time of the call. Say where it is: docs/formats.md")
        return
    say(f"No format knows {records:,} records. This mapping reads {proposal.readable:,} of them; look it over, then paste it:")
    say("")
    say(proposal.as_yaml(_PROPOSED_NAME))


def _as_json(found: Inspection) -> dict[str, Any]:
    proposal = found.proposal
    proposed = None
    if proposal is not None and proposal.settings is not None:
        proposed = {"fields": proposal.fields, "readable": proposal.readable, "yaml": proposal.as_yaml(_PROPOSED_NAME)}
    result = {
        "records": len(found.sample.values),
        "seen": found.sample.seen,
        "note": found.sample.note,
        "formats": [
            {"name": one.name, "records": one.records, "readable": one.readable, "calls": one.calls} for one in found.findings
        ],
        "refused": {reason: {"records": count, "details": details} for reason, (count, details) in found.refused.items()},
        "columns": {name: {"known": share, "example": example} for name, (share, example) in found.columns.items()},
        "proposal": proposed,
    }
    return json.loads(json.dumps(result))  # type: ignore[no-any-return]  # what cannot be JSON fails here, not on the way out
