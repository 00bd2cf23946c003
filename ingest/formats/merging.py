"""Decoded parts of a batch, put together in the batch's order."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from core.record import RECORD_SCHEMA
from ingest.formats.base import Decoded, Reject


def merged(parts: Sequence[tuple[np.ndarray, Decoded]], rejects: Iterable[Reject] = ()) -> Decoded:
    """One result of several; each comes with the places that its records have in the batch."""
    all_rejects = list(rejects)
    for places, part in parts:
        all_rejects += [Reject(index=int(places[one.index]), reason=one.reason, detail=one.detail) for one in part.rejects]
    all_rejects.sort(key=lambda reject: reject.index)
    tables = [part.rows for _, part in parts]
    if not tables:
        return Decoded(rows=RECORD_SCHEMA.empty_table(), valid=np.empty(0, np.int64), rejects=tuple(all_rejects))
    valid = np.concatenate([places[part.valid] for places, part in parts])
    rows = pa.concat_tables(tables).combine_chunks() if len(tables) > 1 else tables[0]
    if len(tables) > 1 and np.any(np.diff(valid) < 0):
        order = np.argsort(valid, kind="stable")  # the calls of one message stay in their order
        rows, valid = rows.take(pa.array(order)), valid[order]
    return Decoded(rows=rows, valid=valid, rejects=tuple(all_rejects))
