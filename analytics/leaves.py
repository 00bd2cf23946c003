"""Calls by every combination of dimensions, in an anomaly's window and in the time before it; sums over selections of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.features import Floats
from core.series import Selector

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Counts of `storage.leaves.read_leaves`, a row a combination of dimensions that occurs.

    Attributes
    ----------
    codes : ndarray of int of shape (n_leaves, n_dimensions)
        Which of the dimension's values.
    values : tuple of tuple of str
        The values of each dimension; the empty one is unknown.
    inside, before : mapping of str to ndarray of shape (n_leaves,)
        Sums in the window, and in the reference time before it.
    minutes, minutes_before : float
        How long the two are; of a sample, how long all calls would have taken to be as many.
    """

    dimensions: tuple[str, ...]
    codes: Ints
    values: tuple[tuple[str, ...], ...]
    inside: Mapping[str, Floats]
    before: Mapping[str, Floats]
    minutes: float
    minutes_before: float

    @classmethod
    def of(cls, frame: pd.DataFrame, dimensions: Sequence[str], sums: Sequence[str], minutes: float, before: float) -> "Leaves":
        """From a frame[inside, *dimensions, *sums] that has up to two rows a combination."""
        codes = np.empty((len(frame), len(dimensions)), dtype=np.int64)
        values = []
        for column, name in enumerate(dimensions):
            codes[:, column], found = pd.factorize(frame[name].to_numpy(dtype=object), sort=True)
            values.append(tuple(str(value) for value in found))
        leaf, row = _distinct(codes, values)
        inside = frame["inside"].to_numpy(dtype=bool)

        def summed(name: str, where: npt.NDArray[np.bool_]) -> Floats:
            weights = np.where(where, frame[name].to_numpy(dtype=float), 0.0)
            return np.asarray(np.bincount(row, weights, minlength=len(leaf)), dtype=np.float64)

        return cls(
            dimensions=tuple(dimensions),
            codes=leaf,
            values=tuple(values),
            inside={name: summed(name, inside) for name in sums},
            before={name: summed(name, ~inside) for name in sums},
            minutes=minutes,
            minutes_before=before,
        )

    def group(self, names: Sequence[str]) -> Ints:
        """A number for each leaf: those that agree in the named dimensions have the same."""
        number = np.zeros(len(self.codes), dtype=np.int64)
        for name in names:
            column = self.dimensions.index(name)
            number = number * len(self.values[column]) + self.codes[:, column]
        return np.unique(number, return_inverse=True)[1].reshape(-1) if len(number) else number


def _distinct(codes: Ints, values: Sequence[tuple[str, ...]]) -> tuple[Ints, Ints]:
    """The rows that differ, and which of them each row is: by a number made of all codes, which sorts ten times as fast."""
    if np.prod([float(max(len(names), 1)) for names in values]) >= 2.0**62:
        leaf, row = np.unique(codes, axis=0, return_inverse=True)
        return leaf, row.reshape(-1)
    number = np.zeros(len(codes), dtype=np.int64)
    for column, names in enumerate(values):
        number = number * len(names) + codes[:, column]
    _, first, row = np.unique(number, return_index=True, return_inverse=True)
    return codes[first], row.reshape(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The selections of one dimension, or of a pair: `of_leaf` says to which each leaf belongs (-1: to none, unknown value)."""

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    of_leaf: Ints

    def sums(self, weights: Floats) -> Floats:
        """Sum of the leaves' weights for each selection."""
        known = self.of_leaf >= 0
        return np.asarray(np.bincount(self.of_leaf[known], weights[known], minlength=len(self.labels)), dtype=np.float64)

    def selector(self, number: int) -> Selector:
        return Selector.of(dict(zip(self.names, self.labels[number], strict=True)))


def candidates(leaves: Leaves) -> Iterator[Candidates]:
    """All traffic, then every dimension, then every pair of them."""
    yield Candidates(names=(), labels=((),), of_leaf=np.zeros(len(leaves.codes), dtype=np.int64))
    for size in (1, 2):
        for columns in combinations(range(len(leaves.dimensions)), size):
            yield _of_columns(leaves, columns)


def _of_columns(leaves: Leaves, columns: tuple[int, ...]) -> Candidates:
    number = np.zeros(len(leaves.codes), dtype=np.int64)
    known = np.ones(len(leaves.codes), dtype=bool)
    for column in columns:
        number = number * len(leaves.values[column]) + leaves.codes[:, column]
        unknown = leaves.values[column].index("") if "" in leaves.values[column] else -1
        known &= leaves.codes[:, column] != unknown
    _, first, place = np.unique(number[known], return_index=True, return_inverse=True)
    rows = np.flatnonzero(known)[first]
    of_leaf = np.full(len(number), -1, dtype=np.int64)
    of_leaf[known] = place.reshape(-1)
    labels = tuple(tuple(leaves.values[column][leaves.codes[row, column]] for column in columns) for row in rows)
    return Candidates(names=tuple(leaves.dimensions[column] for column in columns), labels=labels, of_leaf=of_leaf)
