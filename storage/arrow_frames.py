"""Arrow tables as frames: the same dtypes whichever engine answered."""

import pandas as pd
import pyarrow as pa


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The rows as a frame with default index.

    Times are `datetime64[ms, UTC]`, texts `str`, maps dicts, arrays ndarrays. Columns that may be NULL are floats with NaN
    when they are numbers, and objects with None when they are Bools, also when no value happens to be missing.
    """
    columns = [_uniform(table.column(number), field) for number, field in enumerate(table.schema)]
    frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas(maps_as_pydicts="strict")
    for name, field in zip(table.column_names, table.schema, strict=True):
        if pa.types.is_boolean(field.type) and field.nullable:
            frame[name] = frame[name].astype(object)
    return frame


def _uniform(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    kind = field.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms", tz="UTC"), safe=False)
    if pa.types.is_integer(kind) and field.nullable:
        return column.cast(pa.float64(), safe=False)
    return column
