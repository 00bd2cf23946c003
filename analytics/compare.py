"""Before and after: what changed between two windows of calls, how large it is, and how sure. Pure and seeded.

Intervals are percentile bootstraps over the windows' blocks (Efron, Tibshirani: An Introduction to the Bootstrap, 13.3): blocks
of time rather than single calls, because calls of one time are alike and would make any difference look certain. Error rates
have Fisher's exact test besides. Effect sizes: Cliff's delta for latencies (the chance that a later call is slower, minus that
it is faster; Cliff 1993), Cohen's h for shares, Cohen's d over the blocks for rates (Cohen: Statistical Power Analysis, 2nd
ed.).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from core.errors import ConfigError
from core.series import METRICS, Direction
from core.windows import CallWindow

Floats = npt.NDArray[np.float64]

PERCENTILES = {"latency_p50": 0.50, "latency_p90": 0.90, "latency_p95": 0.95, "latency_p99": 0.99}
_FEW_IN_TAIL = 5
"""Calls beyond a percentile that must have been seen for it to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """One metric in both windows; NaN where it is unknown.

    Attributes
    ----------
    difference, lower, upper : float
        After minus before, in the metric's unit, and its interval.
    effect, effect_name : float, str
        Effect size, and which.
    p_value : float
        Of the exact test, where there is one; else NaN.
    verdict : str
        `higher`, `lower`, `unchanged` (nothing shown) or `unknown`.
    worse : bool
        Whether it changed to the side that is bad news.
    """

    metric: str
    unit: str
    before: float
    after: float
    difference: float
    lower: float
    upper: float
    effect: float
    effect_name: str
    p_value: float
    verdict: str
    worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two windows and what changed from the first to the second."""

    before: CallWindow
    after: CallWindow
    level: float
    changes: tuple[MetricChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resampled:
    """A window and its resamples: `sums` maps counters to arrays of (1 + n_resamples,), the window itself first."""

    window: CallWindow
    sums: dict[str, Floats]
    latency: Floats

    @classmethod
    def of(cls, window: CallWindow, resamples: int, rng: np.random.Generator) -> "_Resampled":
        even = np.full(window.blocks, 1.0 / window.blocks)
        drawn = rng.multinomial(window.blocks, even, size=resamples).astype(float)
        weights = np.vstack([np.ones(window.blocks), drawn])
        names = ("calls", "known", "errors", "rate_limited", "tokens", "tokens_known", "cost_usd", "priced")
        return cls(
            window=window,
            sums={name: weights @ getattr(window, name) for name in names},
            latency=np.cumsum(weights @ window.latency_calls, axis=1),
        )

    @property
    def seconds(self) -> float:
        return (self.window.end - self.window.start).total_seconds()


def compare(before: CallWindow, after: CallWindow, *, seed: int, resamples: int = 2000, level: float = 0.95) -> Comparison:
    """What changed from one window to the other.

    Raises ConfigError where they count different things: another transaction, or another selection. Two versions of one
    transaction are refused before, where the definitions are known (`storage.transaction_series.refuse_other_version`).
    """
    _check(before, after)
    rng = np.random.default_rng(seed)
    one, other = (_Resampled.of(window, resamples, rng) for window in (before, after))
    changes = []
    for metric, value in _VALUES.items():
        effect, name = _effect(metric, before, after)
        changes.append(_change(metric, value(one), value(other), level, (effect, name), _p_value(metric, before, after)))
    return Comparison(before=before, after=after, level=level, changes=tuple(changes))


def _check(before: CallWindow, after: CallWindow) -> None:
    if (before.transaction, before.selector) != (after.transaction, after.selector):
        counted = [f"transaction {one.transaction}" if one.transaction else one.selector.words for one in (before, after)]
        raise ConfigError("baseline compare", f"{counted[0]} cannot be compared with {counted[1]}; choose windows of the same")
    if before.version != after.version:
        raise ConfigError("baseline compare", f"versions {before.version} and {after.version} count different things")


def _change(
    metric: str, before: Floats, after: Floats, level: float, effect: tuple[float, str], p_value: float
) -> MetricChange:
    """`before` and `after` have the value first and those of the resamples behind it."""
    difference = float(after[0] - before[0])
    apart = (after - before)[1:]
    known = apart[~np.isnan(apart)]
    lower, upper = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) else (np.nan, np.nan)
    verdict = _verdict(difference, float(lower), float(upper), p_value, 1 - level)
    bad = METRICS[metric].bad
    worse = (verdict == "higher" and bad is Direction.HIGH) or (verdict == "lower" and bad is Direction.LOW)
    return MetricChange(
        metric=metric,
        unit=METRICS[metric].unit,
        before=float(before[0]),
        after=float(after[0]),
        difference=difference,
        lower=float(lower),
        upper=float(upper),
        effect=effect[0],
        effect_name=effect[1],
        p_value=p_value,
        verdict=verdict,
        worse=worse,
    )


def _verdict(difference: float, lower: float, upper: float, p_value: float, alpha: float) -> str:
    if np.isnan([difference, lower, upper]).any():
        return "unknown"
    if lower <= 0.0 <= upper or p_value > alpha:  # NaN: there is no test
        return "unchanged"
    return "higher" if difference > 0.0 else "lower"


def _rate(name: str, known: str | None = None, per_s: float = 1.0) -> Callable[[_Resampled], Floats]:
    def value(held: _Resampled) -> Floats:
        rate = held.sums[name] * per_s / held.seconds
        return rate if known is None else np.where(held.sums[known] > 0, rate, np.nan)

    return value


def _share(top: str, bottom: str) -> Callable[[_Resampled], Floats]:
    def value(held: _Resampled) -> Floats:
        return _ratio(held.sums[top], held.sums[bottom])

    return value


def _percentile(level: float) -> Callable[[_Resampled], Floats]:
    def value(held: _Resampled) -> Floats:
        total = held.latency[:, -1] if held.latency.shape[1] else np.zeros(len(held.latency))
        if not len(total) or total[0] * (1.0 - level) < _FEW_IN_TAIL:
            return np.full(len(total), np.nan)
        place = (held.latency < (level * total)[:, None]).sum(axis=1)
        return np.where(total > 0, held.window.latency_ms[np.minimum(place, held.latency.shape[1] - 1)], np.nan)

    return value


_VALUES: dict[str, Callable[[_Resampled], Floats]] = {
    "tps": _rate("calls"),
    "error_rate": _share("errors", "known"),
    "rate_limited_rate": _share("rate_limited", "calls"),
    **{metric: _percentile(level) for metric, level in PERCENTILES.items()},
    "tokens_per_s": _rate("tokens", known="tokens_known"),
    "cost_per_h": _rate("cost_usd", known="priced", per_s=3600.0),
}


def _effect(metric: str, before: CallWindow, after: CallWindow) -> tuple[float, str]:
    if metric in PERCENTILES:
        return cliffs_delta(before, after), "Cliff's delta"
    if metric in ("error_rate", "rate_limited_rate"):
        top, bottom = ("errors", "known") if metric == "error_rate" else ("rate_limited", "calls")
        sums = [[getattr(one, name).sum(keepdims=True) for name in (top, bottom)] for one in (before, after)]
        shares = [_ratio(*pair) for pair in sums]
        first, second = (2.0 * np.arcsin(np.sqrt(share[0])) for share in shares)
        return float(second - first), "Cohen's h"
    column = {"tps": "calls", "tokens_per_s": "tokens", "cost_per_h": "cost_usd"}[metric]
    first, second = (getattr(one, column) / one.block_s for one in (before, after))
    if min(len(first), len(second)) < 2:
        return float("nan"), "Cohen's d"
    within = sum(part.var(ddof=1) * (len(part) - 1) for part in (first, second))
    pooled = np.sqrt(within / (len(first) + len(second) - 2))
    return (float((second.mean() - first.mean()) / pooled) if pooled > 0 else float("nan")), "Cohen's d"


def cliffs_delta(before: CallWindow, after: CallWindow) -> float:
    """In [-1, 1]: the chance that a call of `after` is slower than one of `before`, minus that it is faster; NaN: unknown."""
    first, second = before.latency_calls.sum(axis=0), after.latency_calls.sum(axis=0)
    if not first.sum() or not second.sum():
        return float("nan")
    below = np.concatenate([[0.0], np.cumsum(first)])
    faster = below[np.searchsorted(before.latency_ms, after.latency_ms, side="left")]
    slower = first.sum() - below[np.searchsorted(before.latency_ms, after.latency_ms, side="right")]
    return float(((faster - slower) * second).sum() / (first.sum() * second.sum()))


def _p_value(metric: str, before: CallWindow, after: CallWindow) -> float:
    if metric != "error_rate" or not before.known.sum() or not after.known.sum():
        return float("nan")
    table = [[int(one.errors.sum()), int(one.known.sum() - one.errors.sum())] for one in (before, after)]
    return float(scipy.stats.fisher_exact(table)[1])


def _ratio(top: Floats, bottom: Floats) -> Floats:
    out = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
