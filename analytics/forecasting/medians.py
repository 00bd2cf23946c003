"""Medians without `numpy.median`'s preparations, which take longer than the numbers where tables are small and many."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def median(values: Floats) -> float:
    """Of all values, shape (n_values,), n_values > 0, none NaN: the middle one, or the mean of the middle two."""
    return float(_middle(values, 0))


def row_medians(table: Floats) -> Floats:
    """Of each row: shape (n_rows, n_columns) in, (n_rows,) out."""
    return np.asarray(_middle(table, 1))


def column_medians(table: Floats) -> Floats:
    """Of each column: shape (n_rows, n_columns) in, (n_columns,) out."""
    return np.asarray(_middle(table, 0))


def _middle(values: Floats, axis: int) -> Any:
    count = values.shape[axis]
    half = count // 2
    if count % 2:
        return np.partition(values, half, axis=axis).take(half, axis=axis)
    ordered = np.partition(values, (half - 1, half), axis=axis)
    return 0.5 * (ordered.take(half - 1, axis=axis) + ordered.take(half, axis=axis))
