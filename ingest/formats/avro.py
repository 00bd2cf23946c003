"""Avro records by their schema. Needs the extra `schema-registry`."""

import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import fastavro
import orjson

from ingest.schema_registry import Schema, UnknownSchema


def avro_reader(schema: Schema, number: int) -> Callable[[bytes], Any]:
    """What reads one record's bytes; it raises ValueError where they do not fit."""
    named: dict[str, Any] = {}
    try:
        for _, text in schema.references:
            fastavro.parse_schema(orjson.loads(text), named_schemas=named)
        parsed = fastavro.parse_schema(orjson.loads(schema.text), named_schemas=named)
    except Exception as error:
        raise UnknownSchema(f"schema {number} is no Avro schema ({type(error).__name__}: {error})"[:300]) from error

    def read(data: bytes) -> Any:
        stream = io.BytesIO(data)
        try:
            found = fastavro.schemaless_reader(stream, parsed, None)
        except Exception as error:
            raise ValueError(f"the record does not fit Avro schema {number} ({type(error).__name__})") from error
        if stream.tell() != len(data):
            raise ValueError(f"the record has {len(data) - stream.tell()} bytes more than Avro schema {number} says")
        return _plain(found)

    return read


def _plain(value: Any) -> Any:
    """Dates, times of the day and UUIDs as texts; all else is what formats know."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bytes | datetime | Decimal | None) else str(value)
