"""Deviations that are too small for one minute and show over 5, 15 or 60: weak faults, slow drift, selections with few calls.

Values of the last minutes are put together as the calls in them would be: counts are added up, ratios and percentiles weigh
by their calls. The edge of what is expected is a series' own: six and a half deviations of the model, or half as much again as
what its calm days reached (range novelty), bounded so that an incident that nobody noted does not make it blind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from analytics.baseline import Baselines, Expected
from analytics.deviation import deviation
from analytics.features import Floats, Kind, Panel, align, counting_variance, inverse, kind_of, transform
from analytics.peers import comparable
from analytics.triggers import TRIGGERS, Trigger
from core.series import METRICS, Selector

WINDOWS: tuple[int, ...] = (5, 15, 60)
"""Minutes, the shortest first: it also says whether a deviation still lasts."""
LEAD = max(WINDOWS) - 1
"""Minutes that are needed before the first that is judged."""

_LEAST_EDGE, _MOST_EDGE = 6.5, 16.0
_NOVEL = 1.5
_OF_SUMS = 1.15
"""Sums of few calls, each of which carries what it likes, have the heaviest tails: their edges are farther out."""
_USUAL_SERIES = 1500
"""For as many series the least edge is right; the largest chance deviation of n series grows with the root of ln n."""
_NOT_OVER_MINUTES = frozenset({"latency_p95"})
"""The 95th percentile of four calls is nearly their largest: a mean of such says nothing that the median does not say better.
"""
_MOST_SIZE = 4.0
_AS_STRONG = (0.0, 0.6, 0.75)
_STILL = 2.0
"""Deviations over the shortest window below which nothing lasts any more, whatever the longer ones still hold."""
_LEAST_SHARE = 0.4
"""Part of a window's minutes that must be known."""
_LEAST_CLEAN = 0.25
_LEAST_SPREAD = 0.05
_LEAST_OF_SUM = 0.4
"""Part of the variance of a sum that is what its calls carry, at the least: how many there are is not all that varies."""
_FEW_CALLS = 12.0
_LEAST_EVENTS = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """How many deviations are the edge of normal, by window and metric, shape (n_windows, n_metrics, n_selectors)."""

    selectors: tuple[Selector, ...]
    metrics: tuple[str, ...]
    edges: Floats

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        meta = {"selectors": [str(selector) for selector in self.selectors], "metrics": list(self.metrics)}
        return meta, {"edges": self.edges}

    @classmethod
    def from_arrays(cls, meta: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Self:
        selectors = tuple(Selector.parse(name) for name in meta["selectors"])
        return cls(selectors=selectors, metrics=tuple(meta["metrics"]), edges=arrays["edges"])

    def of(self, selectors: tuple[Selector, ...]) -> Floats:
        """The edges of these selections; one that is not known is never out."""
        row = {selector: index for index, selector in enumerate(self.selectors)}
        found = np.array([row.get(selector, -1) for selector in selectors], dtype=np.int64)
        edges = np.full((*self.edges.shape[:2], len(selectors)), np.inf)
        edges[:, :, found >= 0] = self.edges[:, :, found[found >= 0]]
        return edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """How far out each series was over the windows that end with each minute; arrays (n_metrics, n_selectors, n_minutes).

    Attributes
    ----------
    strength : ndarray
        1.0 at the edge, on the bad side, the largest of the windows; 0 where nothing lasts.
    value, usual : ndarray
        Over that window, observed and expected, in the metric's unit.
    """

    strength: Floats
    value: Floats
    usual: Floats


class _Over(NamedTuple):
    """One window of one metric, (n_selectors, n_minutes judged) each."""

    z: Floats
    value: Floats
    usual: Floats


def learn_edges(
    baselines: Baselines,
    panel: Panel,
    calm: np.typing.NDArray[np.bool_],
    metrics: tuple[str, ...],
    triggers: Mapping[str, Trigger] = TRIGGERS,
) -> Edges:
    """From some recent days of minutes; `calm` says which of them had no known anomaly."""
    expected = baselines.at(panel.times())
    aligned = comparable(align(panel, baselines.selectors), expected)
    edges = np.empty((len(WINDOWS), len(metrics), len(baselines.selectors)))
    crowd = np.sqrt(np.log(max(len(metrics) * len(baselines.selectors), _USUAL_SERIES)) / np.log(_USUAL_SERIES))
    quiet = [_without_remains(calm, window) for window in WINDOWS]
    for column, metric in enumerate(metrics):
        if metric in _NOT_OVER_MINUTES:
            edges[:, column] = np.inf
            continue
        for row, over in enumerate(_over(metric, aligned, expected, panel.minutes)):
            sided = np.where(quiet[row], triggers[metric].on_bad_side(over.z), 0.0)
            least = crowd * _LEAST_EDGE * (_OF_SUMS if _is_sum(metric) else 1.0)
            size = _usual_size(over.z[:, quiet[row]])
            edges[row, column] = np.clip(_NOVEL * sided.max(axis=1), least * size, _MOST_EDGE * size)
    return Edges(selectors=baselines.selectors, metrics=metrics, edges=edges)


def sustained(
    baselines: Baselines, panel: Panel, edges: Edges, minutes: int, triggers: Mapping[str, Trigger] = TRIGGERS
) -> Sustained:
    """Judge the last `minutes` of a panel with the rows of the baselines; up to `LEAD` minutes before them are looked at."""
    expected = baselines.at(panel.times())
    panel = comparable(panel, expected)
    own = edges.of(baselines.selectors)
    shape = (len(edges.metrics), len(panel.calls), minutes)
    strength, value, usual = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    for column, metric in enumerate(edges.metrics):
        if metric in _NOT_OVER_MINUTES:
            continue
        lasting, shorter = np.ones(shape[1:], dtype=np.bool_), np.zeros(shape[1:])
        for row, over in enumerate(_over(metric, panel, expected, minutes)):
            sided = triggers[metric].on_bad_side(over.z)
            # What goes on makes deviations grow by the root of the window; what is over leaves the last minutes bare, and what
            # one incident left in an hour is no sign of another.
            part = _AS_STRONG[row] * np.sqrt(WINDOWS[max(row - 1, 0)] / WINDOWS[row])
            lasting = lasting & ((shorter if row else sided) >= np.maximum(_STILL, part * sided))
            shorter = sided
            held = np.where(lasting, sided / own[row, column][:, None], 0.0)
            better = held > strength[column]
            strength[column] = np.where(better, held, strength[column])
            value[column] = np.where(better, over.value, value[column])
            usual[column] = np.where(better, over.usual, usual[column])
    return Sustained(strength=strength, value=value, usual=usual)


def _over(metric: str, panel: Panel, expected: Expected, minutes: int) -> list[_Over]:
    """For each window, ending with each of the last minutes: deviation (0 where not known), observed and expected value."""
    match kind_of(metric):
        case Kind.COUNT:
            return _of_counts(panel, expected, minutes)
        case Kind.RATIO:
            return _of_ratios(metric, panel, expected, minutes)
        case Kind.LEVEL if _is_sum(metric):
            return _of_sums(metric, panel, expected, minutes)
        case Kind.LEVEL:
            return _of_percentiles(metric, panel, expected, minutes)


def _of_counts(panel: Panel, expected: Expected, minutes: int) -> list[_Over]:
    due, stepped = np.nan_to_num(expected.calls), np.nan_to_num(np.expm1(expected.flat["tps"]))
    counting = counting_variance("tps", np.maximum(due[:, -minutes:], 1e-9))
    wander = np.maximum(expected.scale["tps"][:, -minutes:] ** 2 - counting, 0.0)
    behind = np.arange(panel.minutes - minutes + 1, panel.minutes + 1)
    over = []
    for window in WINDOWS:
        total, usual, other = (_rolled(part, window, minutes) for part in (panel.calls, due, stepped))
        # Between the gliding and the stepping expectation nothing is out: what lies beyond the nearer one counts.
        near = np.clip(total, np.minimum(usual, other), np.maximum(usual, other))
        spread = np.sqrt(counting_variance("tps", np.maximum(near, 1e-9)) + wander)
        z = deviation("tps", total / 60.0, total, np.log1p(near), spread, near)
        seconds = 60.0 * np.minimum(behind, window)
        over.append(_Over(_known(z, usual > 0), total / seconds, usual / seconds))
    return over


def _of_ratios(metric: str, panel: Panel, expected: Expected, minutes: int) -> list[_Over]:
    value, center, scale = panel.values[metric], expected.center[metric][:, -minutes:], expected.scale[metric][:, -minutes:]
    calls = np.where(np.isnan(value), 0.0, panel.calls)
    events, usual = np.nan_to_num(value) * calls, inverse(metric, center)
    over = []
    for window in WINDOWS:
        trials = _rolled(calls, window, minutes)
        seen = _rolled(events, window, minutes) / np.maximum(trials, 1e-9)
        z = deviation(metric, seen, trials, center, scale, expected.calls[:, -minutes:])
        enough = (trials >= _FEW_CALLS) & (np.abs(seen - usual) * trials >= _LEAST_EVENTS)
        over.append(_Over(_known(z, enough), seen, usual))
    return over


def _of_percentiles(metric: str, panel: Panel, expected: Expected, minutes: int) -> list[_Over]:
    """Mean of the minutes' logarithms, each weighing by its calls."""
    center = expected.center[metric]
    moved = transform(metric, panel.values[metric])
    near = _nearer(moved - center, moved - expected.flat[metric])
    calls = np.where(np.isnan(near), 0.0, panel.calls)
    weighted, usual = np.nan_to_num(near) * calls, np.nan_to_num(center[:, -minutes:])
    noise = expected.scale[metric][:, -minutes:] * np.sqrt(np.maximum(np.nan_to_num(expected.calls[:, -minutes:]), 0.25))
    over = []
    for window in WINDOWS:
        held = _rolled(calls, window, minutes)
        mean = _rolled(weighted, window, minutes) / np.maximum(held, 1e-9)
        spread = np.maximum(noise / np.sqrt(np.maximum(held, 1e-9)), _LEAST_SPREAD)
        over.append(_Over(_known(mean / spread, held >= _FEW_CALLS), inverse(metric, usual + mean), inverse(metric, usual)))
    return over


def _of_sums(metric: str, panel: Panel, expected: Expected, minutes: int) -> list[_Over]:
    """Tokens and cost: the sum of the window against the sum that its calls, not its minutes, let expect.

    More calls than usual are a matter of the calls; here it is what each of them carries.
    """
    value, usual_value = panel.values[metric], np.nan_to_num(inverse(metric, expected.center[metric]))
    known = ~np.isnan(value) & ~np.isnan(expected.center[metric])
    parts = [np.where(known, np.nan_to_num(part), 0.0) for part in (value, usual_value, panel.calls, expected.calls)]
    # A sum's variance is that of the number of calls and that of what each carries; the former is known here.
    spread = expected.scale[metric][:, -minutes:] ** 2 * np.maximum(np.nan_to_num(expected.calls[:, -minutes:]), 0.25)
    per_call = np.maximum(spread - 1.0, _LEAST_OF_SUM * spread)
    over = []
    for window in WINDOWS:
        seen, usual, held, due = (_rolled(part, window, minutes) for part in parts)
        there = _rolled(known.astype(float), window, minutes)
        as_many = usual * np.maximum(held / np.maximum(due, 1e-9), 1.0)
        moved = np.log(np.maximum(seen, 1e-12) / np.maximum(as_many, 1e-12))
        moved = np.where(moved < 0.0, np.expm1(moved), moved)
        z = moved / np.maximum(np.sqrt(per_call / np.maximum(held, 0.25)), _LEAST_SPREAD)
        enough = (there >= _LEAST_SHARE * window) & (held >= _FEW_CALLS) & (usual > 0)
        over.append(_Over(_known(z, enough), seen / np.maximum(there, 1.0), usual / np.maximum(there, 1.0)))
    return over


def _without_remains(calm: np.typing.NDArray[np.bool_], window: int) -> np.typing.NDArray[np.bool_]:
    """Minutes whose window holds none that is not calm; the calm ones where hardly any is left."""
    troubled = np.cumsum(np.pad(~calm, (window, 0)))
    clean: np.typing.NDArray[np.bool_] = np.equal(troubled[window:], troubled[:-window])
    return clean if clean.mean() >= _LEAST_CLEAN else calm


def _usual_size(z: Floats) -> Floats:
    """Root mean square of each row's known deviations, at least 1: where few calls carry what is added up, it is more."""
    known = np.maximum((z != 0.0).sum(axis=1), 1)
    return np.asarray(np.clip(np.sqrt((z**2).sum(axis=1) / known), 1.0, _MOST_SIZE))


def _is_sum(metric: str) -> bool:
    return kind_of(metric) is Kind.LEVEL and METRICS[metric].zero_when_idle


def _rolled(values: Floats, window: int, minutes: int) -> Floats:
    """Sum of the last `window` columns up to each of the last `minutes`."""
    known = np.nan_to_num(values[:, -(minutes + window - 1) :])
    total = np.cumsum(known, axis=1)
    total[:, window:] -= total[:, :-window].copy()
    return np.asarray(total[:, -minutes:])


def _known(z: Floats, known: np.typing.NDArray[np.bool_]) -> Floats:
    return np.where(known, np.nan_to_num(z), 0.0)


def _nearer(one: Floats, other: Floats) -> Floats:
    return np.where(one * other < 0.0, 0.0, np.where(np.abs(one) < np.abs(other), one, other))
