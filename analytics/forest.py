"""One isolation forest for all series, over their deviations; kept as plain arrays and scored with numpy.

A plain forest is a poor judge of gateways: a cut between the least and the greatest value of a small sample cannot tell four
deviations from forty, and a fault that moves one metric alone hides among eight. Three things make it fit (quality and speed:
benchmarks/bench_detect.py):

- features are what exceeds two deviations on the bad side, so that ordinary rows are all nought, and the largest of them;
- a tenth of the training rows get random excesses of up to twelve deviations, so that cuts reach that far;
- the edge (score 1.0) is the configured quantile of the *untouched* rows.

Source: Liu, Ting, Zhou: Isolation Forest, ICDM 2008; trees are grown by scikit-learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analytics.features import Floats
from core.series import METRICS, Direction

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

_DEAD_ZONE = 2.0
_REACH = 12.0
_TOUCHED_SHARE = 0.1
_MOST_TOUCHED_METRICS = 3
_SAMPLES_PER_TREE = 512
_CHUNK_ROWS = 4096
"""Rows scored at once: rows x trees positions stay within a few MB."""

_TREE_ARRAYS = ("feature", "threshold", "left", "right", "path", "roots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A fitted forest. The nodes of all trees lie in one array; a leaf is its own child.

    Attributes
    ----------
    metrics : tuple of str
        The metrics whose deviations are the features, in order.
    feature, left, right : ndarray of int of shape (n_nodes,)
    threshold : ndarray of float64 of shape (n_nodes,)
        A row goes left where its feature, as a 32-bit float, is at most this.
    path : ndarray of shape (n_nodes,)
        At a leaf: expected length of the path of a row that ends there.
    roots : ndarray of int of shape (n_trees,)
    depth : int
        Longest path from a root to a leaf.
    normal_path : float
        Expected path length in an ordinary tree of that size; scores are relative to it.
    usual, edge : float
        Raw score of an ordinary row, and the one that is the edge of normal.
    """

    metrics: tuple[str, ...]
    feature: npt.NDArray[np.int64]
    threshold: Floats
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    path: Floats
    roots: npt.NDArray[np.int64]
    depth: int
    normal_path: float
    usual: float
    edge: float

    def score(self, deviations: Floats) -> Floats:
        """Scores of rows of deviations, shape (n_rows, n_metrics), NaN counting as ordinary.

        0 is an ordinary row, 1.0 the edge of normal; at least 0, higher is more anomalous.
        """
        rows = features(deviations, self.metrics)
        out = np.zeros(len(rows))
        odd = rows.any(axis=1)  # an ordinary row is all nought: its score is known
        if odd.any():
            out[odd] = np.maximum((self.raw(rows[odd]) - self.usual) / (self.edge - self.usual), 0.0)
        return out

    def raw(self, rows: Floats) -> Floats:
        """The paper's anomaly score in (0, 1] of feature rows: scikit-learn's `score_samples` with its sign flipped."""
        narrow = rows.astype(np.float32)
        depths = [self._paths(narrow[at : at + _CHUNK_ROWS]) for at in range(0, len(narrow), _CHUNK_ROWS)]
        mean_path = np.concatenate(depths) / len(self.roots) if depths else np.zeros(0)
        return np.asarray(2.0 ** (-mean_path / self.normal_path))

    def _paths(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Sum over the trees of each row's path length."""
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        which = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left = rows[which, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return np.asarray(self.path[node].sum(1))


def features(deviations: Floats, metrics: tuple[str, ...]) -> Floats:
    """Feature rows: excess over two deviations on the bad side by metric, at most 12, and the largest of them."""
    known = np.nan_to_num(deviations)
    excess = np.sign(known) * np.clip(np.abs(known) - _DEAD_ZONE, 0.0, _REACH)
    for column, metric in enumerate(metrics):
        if METRICS[metric].bad is Direction.HIGH:
            excess[:, column] = np.maximum(excess[:, column], 0.0)
        elif METRICS[metric].bad is Direction.LOW:
            excess[:, column] = np.minimum(excess[:, column], 0.0)
    return np.column_stack([excess, np.abs(excess).max(axis=1)])


def fit_forest(deviations: Floats, metrics: tuple[str, ...], *, trees: int, quantile: float, seed: int) -> Forest:
    """Grow the forest on history.

    Parameters
    ----------
    deviations : ndarray of shape (n_rows, n_metrics)
        Deviations of minutes of many selections, all mixed; raises ValueError where there is no row.
    quantile : float
        Quantile of the training scores that is the edge of normal.
    """
    if not len(deviations):
        raise ValueError("a forest needs rows to grow on")
    from sklearn.ensemble import IsolationForest  # here: to judge by a forest that is grown needs no scikit-learn

    rng = np.random.default_rng(seed)
    ordinary = features(deviations, metrics)
    touched = features(_touch(np.nan_to_num(deviations), rng), metrics)
    rows = np.concatenate([ordinary, touched])
    grown = IsolationForest(
        n_estimators=trees, max_samples=min(_SAMPLES_PER_TREE, len(rows)), random_state=int(rng.integers(2**31))
    ).fit(rows.astype(np.float32))
    forest = _as_arrays(grown, metrics)
    usual = float(forest.raw(np.zeros((1, rows.shape[1])))[0])
    raw, odd = np.full(len(ordinary), usual), ordinary.any(axis=1)  # most rows are all nought, and alike
    raw[odd] = forest.raw(ordinary[odd])
    # Where no training row stands out (a few quiet minutes), the least excess that can be told is the edge.
    edge = max(float(np.quantile(raw, quantile)), usual + 0.02)
    return Forest(**{**_fields(forest), "usual": usual, "edge": edge})


def to_arrays(forest: Forest) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Numbers for a JSON text and arrays, as `storage.models` keeps them."""
    meta = {name: value for name, value in _fields(forest).items() if name not in _TREE_ARRAYS}
    return {**meta, "metrics": list(forest.metrics)}, {
        name: np.asarray(getattr(forest, name), dtype=np.float64) for name in _TREE_ARRAYS
    }


def from_arrays(meta: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Forest:
    """The inverse of `to_arrays`."""
    whole = {name: np.asarray(arrays[name]).astype(np.int64) for name in ("feature", "left", "right", "roots")}
    return Forest(
        metrics=tuple(meta["metrics"]),
        threshold=np.asarray(arrays["threshold"], dtype=np.float64),
        path=np.asarray(arrays["path"], dtype=np.float64),
        depth=int(meta["depth"]),
        normal_path=float(meta["normal_path"]),
        usual=float(meta["usual"]),
        edge=float(meta["edge"]),
        **whole,
    )


def _touch(rows: Floats, rng: np.random.Generator) -> Floats:
    """Copies of some rows in which one to three metrics, drawn at random, stray by up to twelve deviations more."""
    count = max(int(_TOUCHED_SHARE * len(rows)), 8)
    picked = rows[rng.integers(0, len(rows), count)].copy()
    metrics = rows.shape[1]
    order = rng.permuted(np.broadcast_to(np.arange(metrics), (count, metrics)), axis=1)
    chosen = order < rng.integers(1, min(_MOST_TOUCHED_METRICS, metrics) + 1, count)[:, None]
    amount = rng.choice([-1.0, 1.0], picked.shape) * (_DEAD_ZONE + rng.uniform(0.0, _REACH, picked.shape))
    return np.where(chosen, amount, picked)


def _as_arrays(grown: "IsolationForest", metrics: tuple[str, ...]) -> Forest:
    parts: dict[str, list[Any]] = {name: [] for name in _TREE_ARRAYS}
    offset, depth = 0, 1
    for estimator in grown.estimators_:
        tree = estimator.tree_
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        levels = tree.compute_node_depths()  # the root's is 1
        parts["feature"].append(np.where(leaf, 0, tree.feature))
        parts["threshold"].append(np.where(leaf, np.inf, tree.threshold))
        parts["left"].append(np.where(leaf, own, tree.children_left) + offset)
        parts["right"].append(np.where(leaf, own, tree.children_right) + offset)
        parts["path"].append(levels - 1.0 + _average_path(tree.n_node_samples))
        parts["roots"].append(np.array([offset]))
        offset += tree.node_count
        depth = max(depth, int(levels.max()))
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    normal = float(_average_path(np.array([grown.max_samples_]))[0])
    return Forest(metrics=metrics, depth=depth, normal_path=normal, usual=0.0, edge=1.0, **joined)


def _average_path(samples: npt.NDArray[Any]) -> Floats:
    """Average path length of an unsuccessful search in a tree of that many samples: c(n) of the paper, equation 1."""
    count = np.maximum(samples.astype(np.float64), 3.0)
    path = 2.0 * (np.log(count - 1.0) + np.euler_gamma) - 2.0 * (count - 1.0) / count
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, path))


def _fields(forest: Forest) -> dict[str, Any]:
    return {name: getattr(forest, name) for name in Forest.__slots__}
