"""Baselines: the expected value and range of each series by hour of the week, in versions."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.series import Selector
from core.types import BaselineVersion
from storage.contract import Store, Value
from storage.frames import frame_table, moment, with_labels
from storage.sequence import next_seq

# A version is whole and never changes, so the newest by its own time of building holds, whoever wrote it.
LATEST_VERSION = """
SELECT version, any(built_at) AS built, any(trained_from) AS trained_since, any(trained_to) AS trained_until,
    toInt64(uniqExact(metric, selector)) AS series
FROM baselines
WHERE version = (SELECT argMax(version, (built_at, epoch, seq)) FROM baselines WHERE name = '')
GROUP BY version
"""
BASELINE = """
SELECT metric, selector, slot, expected, lower, upper, center, scale, samples FROM baselines
WHERE version = {version:String}
    AND (epoch, seq) = (SELECT max((epoch, seq)) FROM baselines WHERE version = {version:String})
"""
SLOTS_OF_SERIES = """
SELECT metric, selector, groupArray(slot) AS slots, groupArray(center) AS centers, groupArray(scale) AS scales,
    groupArray(samples) AS seen
FROM baselines
WHERE version = {version:String}
    AND (epoch, seq) = (SELECT max((epoch, seq)) FROM baselines WHERE version = {version:String})
GROUP BY metric, selector ORDER BY metric, selector
"""
_ORDER = " ORDER BY metric, selector, slot"
_LEVELS = ("expected", "lower", "upper", "center", "scale")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("version", "name")),
        *(pa.field(name, TS_TYPE) for name in ("built_at", "trained_from", "trained_to")),
        *(pa.field(name, pa.string()) for name in ("metric", "selector")),
        pa.field("slot", pa.uint16()),
        *(pa.field(name, pa.float64()) for name in _LEVELS),
        pa.field("samples", pa.uint32()),
        *(pa.field(name, pa.uint64()) for name in ("epoch", "seq")),
    ]
)


def write_baselines(store: Store, frame: pd.DataFrame, version: BaselineVersion, epoch: int, name: str = "") -> None:
    """Write one version at once; with a `name` it is a frozen one, which is never in force by itself.

    `frame` has a row per series and slot: `metric`, `selector` (canonical text), `slot` (hour of the week, 0 to 167),
    `expected`, `lower`, `upper`, `center`, `scale` (floats; NaN where unknown), `samples`. A second write of the same version
    replaces the first. Raises ValueError that names a missing column.
    """
    constants = {
        "version": version.version,
        "name": name,
        "built_at": version.built_at,
        "trained_from": version.trained_from,
        "trained_to": version.trained_to,
        "epoch": epoch,
        "seq": next_seq(),
    }
    store.insert("baselines", frame_table(_SCHEMA, frame, **constants))


def latest_baseline(store: Store) -> BaselineVersion | None:
    """The version that was built last; None before the first. `series` is counted from its rows."""
    rows: list[dict[str, Any]] = store.arrow(LATEST_VERSION).to_pylist()
    if not rows:
        return None
    row = rows[0]
    return BaselineVersion(
        version=row["version"],
        built_at=moment(row["built"]),
        trained_from=moment(row["trained_since"]),
        trained_to=moment(row["trained_until"]),
        series=row["series"],
    )


def read_baseline(
    store: Store,
    version: str,
    metrics: Iterable[str] | None = None,
    selectors: Iterable[Selector | str] | None = None,
) -> pd.DataFrame:
    """The rows of one version, of all or only the named metrics and selectors.

    Returns
    -------
    DataFrame with `metric`, `selector` (`str`, canonical text), `slot` (`int64`), `expected`, `lower`, `upper`, `center`,
    `scale` (`float64`), `samples` (`int64`), sorted by the first three; empty for an unknown version.
    """
    sql, params = BASELINE, dict[str, Value](version=version)
    if metrics is not None:
        sql, params["metrics"] = sql + " AND has({metrics:Array(String)}, metric)", list(metrics)
    if selectors is not None:
        sql, params["selectors"] = sql + " AND has({selectors:Array(String)}, selector)", [str(one) for one in selectors]
    frame = store.frame(sql + _ORDER, params).astype({"slot": "int64", "samples": "int64"})
    return with_labels(frame, ["metric", "selector"])


def read_slots(store: Store, version: str) -> pd.DataFrame:
    """All of one version that judging needs, a series at a time: millions of rows without a text in each.

    Returns
    -------
    DataFrame with `metric`, `selector` (categories, canonical text), `slot` (`int64`), `center`, `scale` and `samples`
    (`float64`), series by series in the order of the first two; empty for an unknown version.
    """
    table = store.arrow(SLOTS_OF_SERIES, {"version": version}).combine_chunks()
    size = np.array([len(slots) for slots in table.column("slots")], dtype=np.int64)

    def flat(name: str, dtype: str) -> npt.NDArray[Any]:
        parts = [part.flatten().to_numpy(zero_copy_only=False) for part in table.column(name).chunks]
        return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)

    def label(name: str) -> pd.Categorical:
        codes, names = pd.factorize(table.column(name).cast(pa.string()).to_pandas())
        return pd.Categorical.from_codes(np.repeat(codes, size), pd.Index(names, dtype="str"))

    labels = {name: label(name) for name in ("metric", "selector")}
    numbers = {"center": flat("centers", "float64"), "scale": flat("scales", "float64"), "samples": flat("seen", "float64")}
    return pd.DataFrame({**labels, "slot": flat("slots", "int64"), **numbers})
