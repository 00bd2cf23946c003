"""A tree of dataclasses of arrays as one flat mapping of names to arrays, and back."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def flatten(tree: Any, prefix: str = "") -> dict[str, Array]:
    """Names are joined by dots; None is left out."""
    flat: dict[str, Array] = {}
    for field in fields(tree):
        value = getattr(tree, field.name)
        if is_dataclass(value):
            flat.update(flatten(value, f"{prefix}{field.name}."))
        elif value is not None:
            flat[prefix + field.name] = np.array(value)
    return flat


def restore(tree: Any, flat: Mapping[str, Array], prefix: str = "") -> None:
    """Fill a tree of the same shape; a KeyError names what is missing."""
    for field in fields(tree):
        value = getattr(tree, field.name)
        if is_dataclass(value):
            restore(value, flat, f"{prefix}{field.name}.")
        elif value is not None:
            setattr(tree, field.name, np.array(flat[prefix + field.name]))


def axes_of(one: Mapping[str, Array], two: Mapping[str, Array]) -> dict[str, tuple[int, int]]:
    """Where the series lie, from the arrays of one and of two series: the axis, and how many values in turn each has on it."""
    return {
        name: next((axis, array.shape[axis]) for axis in range(array.ndim) if array.shape[axis] != two[name].shape[axis])
        for name, array in one.items()
    }


def pick(flat: Mapping[str, Array], axes: Mapping[str, tuple[int, int]], columns: Array) -> dict[str, Array]:
    """The arrays of some of the series."""
    picked = {}
    for name, array in flat.items():
        axis, blocks = axes[name]
        part = np.take(_by_series(array, axis, blocks), columns, axis=axis + 1)
        picked[name] = part.reshape(*array.shape[:axis], -1, *array.shape[axis + 1 :])
    return picked


def placed(
    flat: Mapping[str, Array], part: Mapping[str, Array], axes: Mapping[str, tuple[int, int]], columns: Array
) -> dict[str, Array]:
    """The arrays with those of some of the series in their places; the inverse of `pick`."""
    whole = {}
    for name, array in flat.items():
        axis, blocks = axes[name]
        held = np.moveaxis(_by_series(array.copy(), axis, blocks), axis + 1, 0)
        held[columns] = np.moveaxis(_by_series(part[name], axis, blocks), axis + 1, 0)
        whole[name] = np.moveaxis(held, 0, axis + 1).reshape(array.shape)
    return whole


def _by_series(array: Array, axis: int, blocks: int) -> Array:
    """With the axis of the series split in two: its blocks and the series in each."""
    return array.reshape(*array.shape[:axis], blocks, -1, *array.shape[axis + 1 :])
