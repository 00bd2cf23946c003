"""A tree of dataclasses of arrays as one flat mapping of names to arrays, and back."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def flatten(tree: Any, prefix: str = "") -> dict[str, Array]:
    """Names are joined by dots; whole numbers become arrays without dimensions, None is left out."""
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
            stored = flat[prefix + field.name]
            setattr(tree, field.name, int(stored) if isinstance(value, int) else np.array(stored))
