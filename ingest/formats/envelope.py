"""Envelopes that log shippers put around a record: Fluent Bit, Fluentd, Vector, Filebeat, Logstash, Docker.

The record lies in `message` or `log` (Fluent Bit's `log_processed`, Filebeat's `json`, Logstash's `event.original`), as an
object or as JSON text, perhaps behind the prefix of a container's log line. What the envelope knows of where the record comes
from is added to it under `envelope.…`, so that it goes to the attributes, or can be mapped. Its time (`envelope.timestamp`),
which is when the shipper read the line, is added for a mapping that asks for it only.

- https://docs.fluentbit.io/manual/pipeline/outputs/kafka · https://docs.fluentbit.io/manual/pipeline/filters/kubernetes
- https://vector.dev/docs/reference/configuration/sources/file/#output-data
- https://www.elastic.co/docs/reference/beats/filebeat/exported-fields
- https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-plain
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from ingest.formats.sources import Path, is_missing

Record = dict[str, Any]
Claims = Callable[[Record], bool]

PREFIX = "envelope."
TIME = PREFIX + "timestamp"
PAYLOADS = frozenset({"message", "log", "log_processed", "json", "MESSAGE", "event"})
"""Keys that an envelope may have its record under."""

_ORDER = ("log_processed", "json", "message", "log", "MESSAGE")
_MAX_DEPTH = 3
_CONTAINER_PREFIX = re.compile(r"\S+ (?:stdout|stderr) [FP] (?=\{)")
_USEFUL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("host", ("host.name", "host.hostname", "hostname", "agent.hostname", "kubernetes.host", "kubernetes.node.name", "host",
              "_HOSTNAME")),
    ("namespace", ("kubernetes.namespace_name", "kubernetes.pod_namespace", "kubernetes.namespace")),
    ("pod", ("kubernetes.pod_name", "kubernetes.pod.name")),
    ("container", ("kubernetes.container_name", "kubernetes.container.name", "container_name", "container.name")),
    ("file", ("log.file.path", "file", "filename")),
    ("source_type", ("source_type",)),
    ("tag", ("tag",)),
)  # fmt: skip
_TIMES = ("@timestamp", "timestamp", "date", "time")
_USEFUL_PATHS = tuple((PREFIX + name, tuple(map(Path, paths))) for name, paths in _USEFUL)


def unwrapped(records: list[Record], claims: Claims, *, keep_time: bool = False) -> list[Record]:
    """The records, each taken out of its envelope unless the format `claims` it as it is."""
    may_be = PAYLOADS.isdisjoint
    if all(map(may_be, records)):
        return records
    return [one if may_be(one) or claims(one) else unwrap(one, keep_time=keep_time) or one for one in records]


def unwrap(record: Record, *, keep_time: bool = False) -> Record | None:
    """What lies in an envelope, with what the envelope knows of it; None where the record is none."""
    told: Record = {}
    inner = None
    for _ in range(_MAX_DEPTH):
        found = _payload(record if inner is None else inner)
        if found is None:
            break
        told = _useful(record if inner is None else inner, keep_time=keep_time) | told
        inner = found
        if PAYLOADS.isdisjoint(inner):
            break
    return None if inner is None else inner | told


def _payload(record: Record) -> Record | None:
    for key in _ORDER:
        found = _object(record.get(key))
        if found:
            return found
    event = record.get("event")
    return _object(event.get("original")) if isinstance(event, dict) else None


def _object(value: Any) -> Record | None:
    if isinstance(value, dict):
        # Filebeat's `log` (file.path, offset) tells where a line was, it is no record.
        return value if value and not ("file" in value and "offset" in value) else None
    if not isinstance(value, str):
        return None
    text = value.lstrip()
    if text[:1] != "{":
        prefix = _CONTAINER_PREFIX.match(text)
        if not prefix:
            return None
        text = text[prefix.end() :]
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _useful(envelope: Record, *, keep_time: bool) -> Record:
    told: Record = {}
    for name, paths in _USEFUL_PATHS:
        value = next((found for path in paths if not is_missing(found := path.of(envelope))), None)
        if value is not None and not isinstance(value, dict | list):
            told[name] = value
    fields = envelope.get("fields")
    if isinstance(fields, dict):
        told |= {f"{PREFIX}{name}": value for name, value in fields.items() if not isinstance(value, dict | list)}
    if keep_time:
        told[TIME] = next((envelope[name] for name in _TIMES if not is_missing(envelope.get(name))), None)
    return told
