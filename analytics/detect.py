"""Judges minutes: which series left their expected range, by how much, and whether their metrics together are unusual.

A minute of a selection is anomalous (score at least 1.0) when two judges agree: the shared forest finds its deviations together
unusual, and at least one metric left its expected range on the bad side by an amount that matters to people. Each alone errs:
the forest on rows that are merely odd, the range on one of the hundred thousand points a day that stray by chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.baseline import Baselines, Expected, deviations_from
from analytics.deviation import RANGE_SIGMAS
from analytics.features import Floats, Kind, Panel, align, inverse, kind_of
from analytics.forest import Forest
from analytics.peers import comparable
from analytics.sustained import Sustained
from analytics.triggers import TRIGGERS, Trigger
from core.series import METRICS, Selector

_SURE_CALLS = 30.0
"""A percentile over fewer calls may jump in one minute by chance: alone, it must come twice."""

_STEADY_MINUTES, _STEADY_WITHIN = 2, 3
_LEAST_EVENTS = 2.5
_NEAR = 0.5
SHARP_MINUTES = 5
"""So long the shortest window (`analytics.sustained.WINDOWS`) holds what a minute brought into it."""

LINGERING = 0.75
"""A series of an open anomaly that is still this far out, and by half of the effect, has not recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Judged minutes. Arrays are (n_selectors, n_minutes), with a leading axis of metrics where the name is plural.

    Attributes
    ----------
    strengths : ndarray
        How far outside its range on the bad side, 1.0 at the edge, where the effect matters; else 0.
    faints : ndarray
        The same with half of the effect: what keeps an anomaly open.
    forest, score : ndarray
        At least 0; 1.0 is the edge of normal. The forest is not asked where no metric is near the edge of its range: 0.
    sure : ndarray of bool
        Whether one minute may be enough to open an anomaly.
    """

    selectors: tuple[Selector, ...]
    metrics: tuple[str, ...]
    start: datetime
    calls: Floats
    values: Mapping[str, Floats]
    expected: Expected
    strengths: Floats
    faints: Floats
    forest: Floats
    score: Floats
    sure: npt.NDArray[np.bool_]

    @property
    def minutes(self) -> int:
        return int(self.calls.shape[1])

    def minute(self, index: int) -> "MinuteVerdict":
        return MinuteVerdict(
            at=self.start + timedelta(minutes=index),
            selectors=self.selectors,
            metrics=self.metrics,
            calls=self.calls[:, index],
            expected_calls=self.expected.calls[:, index],
            values=np.stack([self.values[metric][:, index] for metric in self.metrics]),
            expected=np.stack([inverse(metric, self.expected.center[metric][:, index]) for metric in self.metrics]),
            strengths=self.strengths[:, :, index],
            faints=self.faints[:, :, index],
            score=self.score[:, index],
            sure=self.sure[:, index],
            model=self.expected,
            index=index,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteVerdict:
    """One judged minute: `values`, `expected`, `strengths`, `faints` are (n_metrics, n_selectors), the rest (n_selectors,)."""

    at: datetime
    selectors: tuple[Selector, ...]
    metrics: tuple[str, ...]
    calls: Floats
    expected_calls: Floats
    values: Floats
    expected: Floats
    strengths: Floats
    faints: Floats
    score: Floats
    sure: npt.NDArray[np.bool_]
    model: Expected
    index: int

    def range(self, metric: str, row: int) -> tuple[float, float]:
        """Edges of the expected range of one series in the metric's unit."""
        _, lower, upper = self.model.range(metric, row, self.index)
        return lower, upper


def judge(
    panel: Panel, baselines: Baselines, forest: Forest, min_calls: float, triggers: Mapping[str, Trigger] = TRIGGERS
) -> Verdicts:
    """Judge every minute of the panel for every selection of the baselines; a selection without a row had no call."""
    aligned = align(panel, baselines.selectors)
    expected = baselines.at(panel.times())
    judged = comparable(aligned, expected)
    scored = deviations_from(expected, judged, min_calls)
    metrics = forest.metrics
    absent = np.full(aligned.calls.shape, np.nan)
    together = np.stack([scored.get(metric, absent) for metric in metrics])
    strengths, faints = np.zeros(together.shape), np.zeros(together.shape)
    for index, metric in enumerate(metrics):
        if metric in scored:
            usual = inverse(metric, expected.center[metric])
            sided = triggers[metric].on_bad_side(together[index])
            sided = sided * _reliance(metric, aligned.calls) / RANGE_SIGMAS
            for held, part in ((strengths, 1.0), (faints, 0.5)):
                matters = triggers[metric].effect.matters(judged.values[metric], usual, part)
                matters &= _counts(metric, aligned, usual, part)
                held[index] = np.where(matters, sided, 0.0)
    # Where nothing is near the edge of its range the other judge decides nothing: only the few other rows are asked about.
    out = strengths.max(axis=0) > _NEAR
    unusual = np.zeros(aligned.calls.shape)
    unusual[out] = forest.score(together[:, out].T)
    return Verdicts(
        selectors=baselines.selectors,
        metrics=metrics,
        start=panel.start,
        calls=aligned.calls,
        values=aligned.values,
        expected=expected,
        strengths=strengths,
        faints=faints,
        forest=unusual,
        score=_combined(strengths.max(axis=0), unusual),
        sure=_sure(strengths, metrics, aligned.calls),
    )


def with_silence(verdicts: Verdicts, silence: Floats) -> Verdicts:
    """Add the scores of silence: a selection that should have calls and has none needs no second judge.

    NaN in `silence` (`analytics.silence.score_silence`) is a selection that is gone: that it has no calls is no news.
    """
    tps, gone, heard = verdicts.metrics.index("tps"), np.isnan(silence), np.nan_to_num(silence)
    strengths = np.where(gone, 0.0, verdicts.strengths)
    faints = np.where(gone, 0.0, verdicts.faints)
    strengths[tps] = np.maximum(strengths[tps], heard)
    faints[tps] = np.maximum(faints[tps], heard)
    score = np.where(gone, 0.0, np.maximum(verdicts.score, heard))
    return replace(verdicts, strengths=strengths, faints=faints, score=score, sure=verdicts.sure | (heard >= 1.0))


def with_steady(verdicts: Verdicts, before: Verdicts | None = None) -> Verdicts:
    """Add what goes on: a series that left its range in two of three minutes needs no second judge.

    A chance stray does not come twice within three minutes, and the forest finds one metric alone hardly ever unusual, however
    far it is out and stays out. `before` are the `SHARP_MINUTES` before these.
    """
    strengths = verdicts.strengths if before is None else np.concatenate([before.strengths, verdicts.strengths], axis=2)
    held = np.pad(strengths, ((0, 0), (0, 0), (_STEADY_WITHIN - 1, 0)))
    size = strengths.shape[2]
    lately = np.stack([held[:, :, back : back + size] for back in range(_STEADY_WITHIN)])
    steady = np.sort(lately, axis=0)[-_STEADY_MINUTES].max(axis=0)[:, size - verdicts.minutes :]
    goes_on = (steady >= 1.0) & (verdicts.strengths.max(axis=0) >= 1.0)
    return replace(
        verdicts,
        score=np.where(goes_on, np.maximum(verdicts.score, steady), verdicts.score),
        sure=verdicts.sure | goes_on,
    )


def with_sustained(
    verdicts: Verdicts, lasting: Sustained, before: Verdicts | None = None, triggers: Mapping[str, Trigger] = TRIGGERS
) -> Verdicts:
    """Add what only shows over several minutes: a series whose last minutes together are out, by an amount that matters.

    Where that says more than the minute alone, its value is the one that is told. What single minutes showed ends with them:
    the window holds it for some minutes more. `before` are the `SHARP_MINUTES` before these.
    """
    metrics = verdicts.metrics
    lasting = replace(lasting, strength=np.where(_is_over(verdicts, before), 0.0, lasting.strength))
    usual = np.stack([inverse(metric, verdicts.expected.center[metric]) for metric in metrics])
    effects = [triggers[name].lasting for name in metrics]
    matters = [
        np.stack([effect.matters(lasting.value[row], lasting.usual[row], part) for row, effect in enumerate(effects)])
        for part in (1.0, 0.5)
    ]
    strong, faint = (np.where(matter, lasting.strength, 0.0) for matter in matters)
    more = strong > verdicts.strengths
    values = np.stack([verdicts.values[metric] for metric in metrics])
    # The value that the window would have had at what the minute expects: both are told side by side.
    told = np.where(more, usual * lasting.value / np.maximum(lasting.usual, 1e-12), values)
    return replace(
        verdicts,
        values={**verdicts.values, **{name: told[row] for row, name in enumerate(metrics)}},
        strengths=np.maximum(verdicts.strengths, strong),
        faints=np.maximum(verdicts.faints, faint),
        score=np.maximum(verdicts.score, strong.max(axis=0)),
        sure=verdicts.sure | (strong.max(axis=0) >= 1.0),
    )


def _is_over(verdicts: Verdicts, before: Verdicts | None) -> npt.NDArray[np.bool_]:
    """Where windows only hold what has passed; of shape (n_selectors, n_minutes).

    A selection that single minutes showed to be out lately and show no more; and, once there is no other left of those, also
    the ones that have too few calls for single minutes to show anything.
    """
    strengths, faints = verdicts.strengths, verdicts.faints
    if before is not None:
        strengths = np.concatenate([before.strengths, strengths], axis=2)
        faints = np.concatenate([before.faints, faints], axis=2)
    out, bare = np.asarray((strengths >= 1.0).any(axis=0)), np.asarray((faints < LINGERING).all(axis=0))
    lately = np.logical_or.reduce([_shifted(out, back) for back in range(1, SHARP_MINUTES + 1)])
    passed = lately.any(axis=0) & ~(lately & ~bare).any(axis=0)
    return np.asarray((bare & (lately | passed))[:, strengths.shape[2] - verdicts.minutes :])


def _shifted(matrix: npt.NDArray[np.bool_], back: int) -> npt.NDArray[np.bool_]:
    """Each minute as it was `back` minutes before; False where that is not known."""
    shifted = np.zeros_like(matrix)
    shifted[:, back:] = matrix[:, : max(matrix.shape[1] - back, 0)]
    return shifted


def severity_of(score: float) -> float:
    """In [0, 1), smooth: 0.5 at the edge of the expected range, 0.8 at twice its width."""
    return score**2 / (1.0 + score**2)


def training_rows(scored: Mapping[str, Floats], metrics: tuple[str, ...], limit: int, seed: int) -> Floats:
    """Up to `limit` rows of deviations, drawn from all selections and minutes, for `analytics.forest.fit_forest`.

    Rows out of their range are left out: history has incidents in it, and a forest that holds them for ordinary finds no other.
    """
    rows = np.stack([scored[metric].ravel() for metric in metrics], axis=1)
    out = np.stack([TRIGGERS[metric].on_bad_side(rows[:, column]) for column, metric in enumerate(metrics)], axis=1).max(axis=1)
    rows = rows[~np.isnan(rows).all(axis=1) & (out < RANGE_SIGMAS)]
    if len(rows) <= limit:
        return np.asarray(rows)
    return np.asarray(rows[np.random.default_rng(seed).choice(len(rows), limit, replace=False)])


def _combined(out_of_range: Floats, unusual: Floats) -> Floats:
    """Below 1 the weaker judge decides; where both see an anomaly, the geometric mean."""
    weaker = np.minimum(out_of_range, unusual)
    return np.where(weaker >= 1.0, np.sqrt(out_of_range * unusual), weaker)


def _sure(strengths: Floats, metrics: tuple[str, ...], calls: Floats) -> npt.NDArray[np.bool_]:
    """Where a metric is out of its range that cannot be a chance jump of a few calls."""
    added = [index for index, name in enumerate(metrics) if METRICS[name].zero_when_idle or kind_of(name) is not Kind.LEVEL]
    return np.asarray((strengths[added] >= 1.0).any(axis=0) | (calls >= _SURE_CALLS))


def _reliance(metric: str, calls: Floats) -> Floats:
    """What a deviation of percentiles or sums of few calls counts: a single odd call makes one."""
    if kind_of(metric) is not Kind.LEVEL:
        return np.ones(calls.shape)
    return np.asarray(np.clip(calls / _SURE_CALLS, 0.1, 1.0) ** (1.0 / 3.0))


def _counts(metric: str, panel: Panel, usual: Floats, part: float) -> npt.NDArray[np.bool_]:
    """Whether the events of a ratio that moved are more than a chance few."""
    if kind_of(metric) is not Kind.RATIO:
        return np.ones(panel.calls.shape, dtype=np.bool_)
    return np.asarray(np.abs(panel.values[metric] - usual) * panel.calls >= _LEAST_EVENTS * part)
