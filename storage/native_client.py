"""clickhouse-driver's client, speaking Arrow: rows come as Arrow already (since 0.2.11), and go as Arrow here.

Works on the driver's own seams (`Client.send_data`, the streams of its connection), as of 0.2.11.
"""

from typing import Any

import pyarrow as pa
from clickhouse_driver import Client, defines
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.protocol import ClientPacketTypes
from clickhouse_driver.varint import write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint8

from core.errors import StoreError
from storage.native_block import encode_column

CLIENT_REVISION = defines.DBMS_MIN_REVISION_WITH_PARALLEL_REPLICAS
"""The newest protocol before sparse columns, which the driver reads a value at a time."""

_TYPE_MISMATCH = 53
_TYPE = b"clickhouse_type"


class NativeClient(Client):  # type: ignore[misc]
    """One connection. Not to be shared by threads."""

    def insert_arrow(self, statement: str, rows: pa.Table, settings: dict[str, Any]) -> None:
        """Run `INSERT INTO … VALUES` with `rows` as one block."""
        self.execute(statement, [rows], settings=settings)

    def select_arrow(self, statement: str) -> pa.Table:
        """The rows of a SELECT; raises StoreError for a time without a zone."""
        table = self.query_arrow(statement)
        return table.cast(pa.schema([_plain_field(field) for field in table.schema]))

    def send_data(
        self, sample_block: ColumnOrientedBlock, data: list[pa.Table], types_check: bool = False, columnar: bool = False
    ) -> int:
        """The driver's hook: send the rows of an insert whose columns the server described in `sample_block`."""
        (rows,) = data
        columns = []
        for (name, type_name), column in zip(sample_block.columns_with_types, rows.columns, strict=True):
            try:
                columns.append((name, type_name, encode_column(column, type_name)))
            except (ValueError, pa.ArrowException) as error:
                raise StoreError(f"store: column {name!r}: {str(error).splitlines()[0]}", _TYPE_MISMATCH) from error
        self._send_block(columns, rows.num_rows)
        self.receive_profile_events()
        self.connection.send_data(ColumnOrientedBlock())  # an empty block ends the insert
        self.receive_profile_events()
        return int(rows.num_rows)

    def _send_block(self, columns: list[tuple[str, str, bytes]], rows: int) -> None:
        connection = self.connection
        revision = connection.server_info.used_revision
        write_varint(ClientPacketTypes.DATA, connection.fout)
        if revision >= defines.DBMS_MIN_REVISION_WITH_TEMPORARY_TABLES:
            write_binary_str("", connection.fout)
        out = connection.block_out.fout
        if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
            BlockInfo().write(out)
        write_varint(len(columns), out)
        write_varint(rows, out)
        for name, type_name, encoded in columns:
            write_binary_str(name, out)
            write_binary_str(type_name, out)
            if revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION:
                write_binary_uint8(0, out)
            out.write(encoded)
        connection.block_out.finalize()


def _plain_field(field: pa.Field) -> pa.Field:
    """The field without the driver's note, which tells whether it may be NULL."""
    type_name = (field.metadata or {}).get(_TYPE, b"").decode("utf-8")
    if pa.types.is_timestamp(field.type) and field.type.tz is None:
        raise StoreError(f"store: column {field.name!r} is a time without a zone; the statement must name 'UTC'")
    return pa.field(field.name, field.type, nullable="Nullable(" in type_name.split("Array(")[0])
