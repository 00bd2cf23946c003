"""Fitted models as named arrays and JSON, never pickles: what is read back cannot run code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import EVENT_FIELDS, items_table, moment
from storage.sequence import next_seq

# A version is whole and never changes, so the newest by its own time of building holds, whoever wrote it.
LATEST_MODEL = """
SELECT version, kind, built_at, meta, array, shape, values FROM models
WHERE kind = {kind:String} AND (built_at, epoch, seq) = (
    SELECT max((built_at, epoch, seq)) FROM models WHERE kind = {kind:String}
)
ORDER BY array
"""
LATEST_VERSION = """
SELECT argMax(version, (built_at, epoch, seq)) AS latest FROM models WHERE kind = {kind:String} GROUP BY kind
"""
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("version", "kind")),
        pa.field("built_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("meta", "array")),
        pa.field("shape", pa.list_(pa.uint32())),
        pa.field("values", pa.list_(pa.float64())),
        *EVENT_FIELDS,
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """One fitted model.

    Attributes
    ----------
    version : str
        What anomalies name it by.
    kind : str
        What reads it, for example `forest`.
    meta : mapping
        What JSON can hold: settings, names of features, thresholds.
    arrays : mapping of str to ndarray
        By name, of any shape; integers and flags come back as the same numbers in float64. At least one.
    """

    version: str
    kind: str
    built_at: datetime
    meta: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]


def write_model(store: Store, model: StoredModel, epoch: int) -> None:
    """Write a model at once. Raises ValueError for one without arrays."""
    if not model.arrays:
        raise ValueError(f"model {model.version!r} has no arrays")
    count, arrays = len(model.arrays), list(model.arrays.values())
    meta = orjson.dumps(dict(model.meta), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    rows = items_table(
        _SCHEMA,
        list(model.arrays),
        version=[model.version] * count,
        kind=[model.kind] * count,
        built_at=[model.built_at] * count,
        meta=[meta] * count,
        array=list(model.arrays),
        shape=[list(array.shape) for array in arrays],
        values=[np.asarray(array, dtype=np.float64).ravel() for array in arrays],
        epoch=[epoch] * count,
        seq=[next_seq()] * count,
    )
    store.insert("models", rows)


def latest_version(store: Store, kind: str) -> str:
    """The version of the model that `latest_model` would read; empty before the first."""
    rows = store.arrow(LATEST_VERSION, {"kind": kind}).column("latest").to_pylist()
    return str(rows[0]) if rows else ""


def latest_model(store: Store, kind: str) -> StoredModel | None:
    """The model of this kind that was built last; None before the first. Its arrays are float64."""
    table = store.arrow(LATEST_MODEL, {"kind": kind})
    if table.num_rows == 0:
        return None
    values = table.column("values")
    arrays = {}
    for number, row in enumerate(table.drop_columns("values").to_pylist()):
        flat = values[number].values.to_numpy(zero_copy_only=False)
        arrays[row["array"]] = np.array(flat, dtype=np.float64).reshape(row["shape"])
    meta: dict[str, Any] = orjson.loads(row["meta"])
    return StoredModel(version=row["version"], kind=row["kind"], built_at=moment(row["built_at"]), meta=meta, arrays=arrays)
