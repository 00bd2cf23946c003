"""A mapping for records of no known format, guessed from key names, values and their magnitudes, then tried on the records.

The guesses are for a person to look over: a field is proposed only where its values fit the column, and each is shown with an
example.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from core.config import FormatSettings
from core.errors import ConfigError
from ingest.formats.attributes import text_of
from ingest.formats.conversions import apply
from ingest.formats.guesses import Values, guesses
from ingest.formats.mapping import MappingFormat
from ingest.formats.sources import is_missing

_MAX_DEPTH = 4
_MAX_PATHS = 400
_MAX_EXAMPLE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A mapping and how well it reads the records it was made from.

    Attributes
    ----------
    settings : FormatSettings or None
        None where no time was found: without one there is no call.
    fields : mapping of column → what it would stand for in the configuration
    examples : mapping of column → a value as the log has it
    refused : mapping of path → why it was not taken, though its name fits
    readable : int
        Records of the sample that the mapping reads.
    """

    settings: FormatSettings | None
    fields: dict[str, dict[str, Any]]
    examples: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)
    readable: int = 0

    def as_yaml(self, name: str) -> str:
        """What to paste into the configuration."""
        lines = ["formats:", f"  {name}:", "    fields:"]
        entries = [(column, _flow(_short(one)), self.examples.get(column, "")) for column, one in self.fields.items()]
        width = min(60, max((len(f"{column}: {text}") for column, text, _ in entries), default=0))
        lines += [
            f"      {column + ': ' + text:<{width}}" + (f"  # {example}" if example else "")
            for column, text, example in entries
        ]
        lines += [f"      # {path}: {reason}" for path, reason in self.refused.items()]
        return "\n".join(line.rstrip() for line in [*lines, "    unmapped: attributes"]) + "\n"


def propose(records: Sequence[dict[str, Any]]) -> Proposal:
    """The mapping that fits these records best."""
    found = _leaves(records)
    fields = guesses(found)
    examples = {column: _example(entry, found[entry["path"]]) for column, entry in fields.items()}
    if not fields:
        return Proposal(settings=None, fields={}, examples={})
    llm = {"model", "requested_model", "prompt_tokens", "completion_tokens"} & fields.keys()
    fields["kind"] = {"const": "llm" if llm else "api"}
    return _tried(records, fields, examples)


def _tried(records: Sequence[dict[str, Any]], fields: dict[str, dict[str, Any]], examples: dict[str, str]) -> Proposal:
    """Without the fields that reject records: the rest of the record is worth more than one of its columns."""
    refused: dict[str, str] = {}
    while "ts" in fields:
        settings = FormatSettings.model_validate({"fields": fields, "unmapped": "attributes"})
        try:
            decoded = MappingFormat("proposal", settings).decode_objects(list(records))
        except ConfigError as error:
            column, reason = error.where.rpartition(".")[2], " " + error.problem
        else:
            culprits = [one.detail.partition(":") for one in decoded.rejects if one.reason == "bad_value"]
            if not culprits:
                return Proposal(
                    settings=settings,
                    fields=fields,
                    examples=examples,
                    refused=refused,
                    readable=len(set(decoded.valid.tolist())),
                )
            column, _, reason = culprits[0]
        if column not in fields:
            break
        refused[str(fields[column].get("path", column))] = f"{column}?{reason}"
        fields = {name: one for name, one in fields.items() if name != column}
    return Proposal(settings=None, fields=fields, examples=examples, refused=refused)


def _leaves(records: Iterable[dict[str, Any]]) -> dict[str, Values]:
    """Dotted path → the values that are there, of scalars down to some depth."""
    found: dict[str, Values] = {}
    for record in records:
        for path, value in _scalars(record, "", _MAX_DEPTH):
            if (path in found or len(found) < _MAX_PATHS) and not is_missing(value):
                found.setdefault(path, []).append(value)
    return found


def _scalars(node: Any, path: str, depth: int) -> Iterable[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict):
            if depth > 1:
                yield from _scalars(value, name, depth - 1)
        elif not isinstance(value, list) and "" not in name.split("."):
            yield name, value


def _example(entry: dict[str, Any], values: Values) -> str:
    text = text_of(apply(entry["convert"], values[0]) if "convert" in entry else values[0])
    return text if len(text) <= _MAX_EXAMPLE else text[: _MAX_EXAMPLE - 1] + "…"


def _short(entry: dict[str, Any]) -> Any:
    return entry["path"] if list(entry) == ["path"] else entry


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1_000, sort_keys=False).removesuffix("...\n").strip()
