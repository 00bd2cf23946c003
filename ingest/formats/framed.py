"""Records in Avro or Protobuf, framed as the clients of a schema registry write them: a zero byte, the schema's number in four.

A record without that frame is JSON text and read as if there were no registry, so that a topic may be changed over while it is
read.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import orjson

from core.config import SchemaRegistrySettings
from core.errors import NotInstalledError
from ingest.formats.base import Decoded, Format, Reject
from ingest.formats.merging import merged
from ingest.schema_registry import Schema, SchemaRegistry, UnknownSchema

Reader = Callable[[bytes], Any]
"""Bytes behind the frame → an object; raises ValueError where they do not fit the schema."""

FRAME_BYTES = 5
_MAX_READERS = 2_000
_EXTRA = "schema-registry"


class FramedFormat:
    """Another format behind Avro and Protobuf.

    `decode` asks the registry for schemas that it does not know yet: unlike other formats it may block (no longer than the
    registry's timeout and retries allow) and raise RegistryUnavailable; the same batch is then to be decoded again later.
    """

    def __init__(self, inner: Format, registry: SchemaRegistry) -> None:
        self.name = inner.name
        self._inner = inner
        self._registry = registry
        self._readers: dict[int, Reader] = {}

    def decode(self, values: Sequence[bytes]) -> Decoded:
        framed = [place for place, value in enumerate(values) if value[:1] == b"\0"]
        if not framed:
            return self._inner.decode(values)
        objects, places, rejects = self._read(values, framed)
        parts = [(np.asarray(places, np.int64), self._inner.decode_objects(objects))]
        if len(framed) < len(values):
            others = sorted(set(range(len(values))) - set(framed))
            parts.append((np.asarray(others, np.int64), self._inner.decode([values[place] for place in others])))
        return merged(parts, rejects)

    def decode_objects(self, objects: Sequence[object]) -> Decoded:
        return self._inner.decode_objects(objects)

    def unframed(self, value: bytes) -> Any:
        """One framed record; raises UnknownSchema, ValueError where it does not fit its schema, or RegistryUnavailable."""
        return self._reader(value)(value[FRAME_BYTES:])

    def _read(self, values: Sequence[bytes], framed: list[int]) -> tuple[list[object], list[int], list[Reject]]:
        objects: list[object] = []
        places: list[int] = []
        rejects: list[Reject] = []
        for place in framed:
            value = values[place]
            try:
                objects.append(self.unframed(value))
                places.append(place)
            except UnknownSchema as error:
                rejects.append(Reject(index=place, reason="unknown_schema", detail=str(error)))
            except ValueError as error:
                rejects.append(Reject(index=place, reason="not_as_schema", detail=str(error)))
        return objects, places, rejects

    def _reader(self, value: bytes) -> Reader:
        if len(value) < FRAME_BYTES:
            raise ValueError(f"the record has {len(value)} bytes, fewer than a frame")
        number = int.from_bytes(value[1:FRAME_BYTES], "big")
        reader = self._readers.get(number)
        if reader is None:
            reader = reader_of(self._registry.schema(number), number)
            if len(self._readers) >= _MAX_READERS:
                self._readers.clear()
            self._readers[number] = reader
        return reader


def framed(inner: Format, settings: SchemaRegistrySettings) -> FramedFormat:
    """The format behind a registry; raises NotInstalledError where the extra is missing."""
    for module in ("fastavro", "google.protobuf"):
        try:
            import_module(module)
        except ImportError as error:
            raise NotInstalledError("what reads Avro and Protobuf", _EXTRA) from error
    return FramedFormat(inner, SchemaRegistry(settings))


def reader_of(schema: Schema, number: int) -> Reader:
    """What reads records of a schema; raises UnknownSchema for one that makes no sense."""
    if schema.kind == "JSON":
        return _read_json
    if schema.kind == "AVRO":
        from ingest.formats.avro import avro_reader

        return avro_reader(schema, number)
    if schema.kind == "PROTOBUF":
        from ingest.formats.protobuf import protobuf_reader

        return protobuf_reader(schema, number)
    raise UnknownSchema(f"schema {number} is of the kind {schema.kind!r}, not Avro, Protobuf or JSON")


def _read_json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"what follows the frame is no JSON ({error.msg})") from error
