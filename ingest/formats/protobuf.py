"""Protobuf records by their schema. Needs the extra `schema-registry`.

Field names stay as in the schema; times (`google.protobuf.Timestamp`) become RFC 3339 texts, 64-bit numbers texts, as in
Protobuf's JSON. A field without presence that has its default (0, empty) is not in the record, as nobody can tell it from one
that is unknown.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

# The well-known types that schemas import without a reference.
from google.protobuf import any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2  # isort: skip

from ingest.schema_registry import Schema, UnknownSchema

_WELL_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_MAX_INDEXES = 32


def protobuf_reader(schema: Schema, number: int) -> Callable[[bytes], Any]:
    """What reads one record's bytes (message indexes, then the message); it raises ValueError where they do not fit."""
    try:
        file = _file_of(schema)
    except Exception as error:
        raise UnknownSchema(f"schema {number} is no Protobuf schema ({type(error).__name__}: {error})"[:300]) from error
    types: dict[tuple[int, ...], Any] = {}

    def read(data: bytes) -> Any:
        indexes, start = _indexes(data)
        if indexes not in types:
            types[indexes] = message_factory.GetMessageClass(_descriptor(file, indexes, number))
        message = types[indexes]()
        try:
            message.ParseFromString(data[start:])
            return json_format.MessageToDict(message, preserving_proto_field_name=True)
        except (DecodeError, json_format.Error, ValueError, RecursionError) as error:
            raise ValueError(f"the record does not fit Protobuf schema {number} ({type(error).__name__})") from error

    return read


def _file_of(schema: Schema) -> Any:
    pool = descriptor_pool.DescriptorPool()
    for module in _WELL_KNOWN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for name, text in schema.references:
        pool.Add(_proto(text, name))
    pool.Add(_proto(schema.text, "record.proto"))
    return pool.FindFileByName("record.proto")


def _proto(text: str, name: str) -> descriptor_pb2.FileDescriptorProto:
    try:
        found = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError("the registry gives it as text; it has to know format=serialized") from error
    found.name = name
    return found


def _indexes(data: bytes) -> tuple[tuple[int, ...], int]:
    """Which message of the file it is: a path of numbers, or a single 0 for the first."""
    count, at = _varint(data, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= _MAX_INDEXES:
        raise ValueError(f"the record names a message {count} levels deep")
    path = []
    for _ in range(count):
        index, at = _varint(data, at)
        path.append(index)
    return tuple(path), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number and where it ends."""
    value = shift = 0
    for place in range(at, min(at + 5, len(data))):
        value |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            return (value >> 1) ^ -(value & 1), place + 1
    raise ValueError("the record's message indexes are damaged")


def _descriptor(file: Any, indexes: tuple[int, ...], number: int) -> Any:
    found: Any = None
    level: Iterable[Any] = file.message_types_by_name.values()
    for index in indexes:
        listed = list(level)
        if not 0 <= index < len(listed):
            raise ValueError(f"Protobuf schema {number} has no message {'.'.join(map(str, indexes))}")
        found = listed[index]
        level = found.nested_types
    return found
