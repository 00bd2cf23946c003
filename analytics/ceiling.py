"""The ceiling of a selection of calls: the Universal Scalability Law fitted to what was measured, with its uncertainty, or a
refusal that says why.

Outliers (an incident's minutes) are left out where there are enough points to tell them. The 90 % intervals come from a
bootstrap. With many points it is a wild one: residuals, enlarged by their leverage (HC3; MacKinnon and White, 1985), with
random signs and sizes (Webb, 2014) that are shared by neighbours in time as far as residuals are alike (Shao, The dependent
wild bootstrap, 2010); it needs no model of the noise. With the few of a load test it is a parametric one. Where concurrency
was measured, not set, intervals reach as far as its own noise may have shifted the fit.
"""

import numpy as np
import scipy

from analytics.usl import Floats, Usl, fit_usl
from core.capacity import Ceiling, CeilingState, Estimate, MeasuredLoad

LEAST_POINTS = 6
_REPLICATES = 400
_ENOUGH_FOR_OUTLIERS = 20
"""Of fewer points none is called an outlier: a load test of seven steps has four degrees of freedom to judge by."""
_BISQUARE = 4.685
"""Tuning of Tukey's bisquare for 95 % efficiency with normal errors (Huber and Ronchetti, Robust Statistics, 2009)."""
_OUTLIER = 6.0
_ENOUGH_FOR_WILD = 40
_NOISE_POWER = 0.85
"""How the noise of few points is taken to grow with throughput: nearly in proportion. Chosen by the benchmark's coverage."""
_COPIES = 24
_LIKE_LOAD, _MOST_GROUPS = 20, 25
_HOLDS = 0.9
_WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])
_LEAST_SPREAD = 2.0
"""Concurrency has to vary by this factor between its 5th and 95th percentile, throughput by `_LEAST_RISE`."""
_LEAST_RISE = 1.5
_LEAST_IN_FLIGHT = 2.0
_CLEAR_SPREAD, _CLEAR_RISE = 4.0, 2.5
"""From here on the load varied whatever the noise; below, what varies has to follow its own past to be load and no noise."""
_MOST_NOISE = 0.5
"""Share of the variance of log concurrency that may come from one measurement to the next."""
_NO_BEND = 0.95
"""Where the busiest point may still have reached this share of proportional throughput, no bend is seen."""
_WIDEST = 4.0
"""Upper over lower end of the interval; a wider one is no answer."""


def fit_ceiling(
    concurrency: Floats, throughput: Floats, *, measured: bool = True, seed: int = 7, counted: str = "calls in flight"
) -> Ceiling:
    """Fit the law to measurements in the order of their time.

    Parameters
    ----------
    concurrency, throughput : ndarray of shape (n_points,)
        Calls in flight and calls/s of each span of time; NaN and what is not above nought is left out.
    measured : bool
        Whether concurrency comes from the same calls (Little's law: it has their noise), or was set (users of a load test,
        instances).
    seed : int
        Of the bootstrap.
    counted : str
        What `concurrency` counts, for the reason of a refusal.
    """
    usable = np.isfinite(concurrency) & np.isfinite(throughput) & (concurrency > 0.0) & (throughput > 0.0)
    n, x = concurrency[usable], throughput[usable]
    if reason := _too_uniform(n, x, counted):
        return _refused(n, x, reason)
    rng = np.random.default_rng(seed)
    weight = _weights(n, x)
    fitted = fit_usl(n, x[None, :], weight)
    drawn = fit_usl(n, _bootstrap_targets(n, x, fitted, weight, rng), weight)
    peak, at = _estimate(fitted.peak(), drawn.peak()), _estimate(fitted.peak_concurrency(), drawn.peak_concurrency())
    if measured:
        noisier = _noisier(n, x, fitted, weight, rng)
        peak, at = (
            _widened(peak, np.array([one.peak()[0] for one in noisier])),
            _widened(at, np.array([one.peak_concurrency()[0] for one in noisier])),
        )
    if reason := _not_bent(n, drawn, peak, counted):
        return _refused(n, x, reason)
    return Ceiling(
        state=CeilingState.PEAK if np.isfinite(at.value) else CeilingState.PLATEAU,
        peak_tps=peak,
        peak_concurrency=at,
        gamma=_estimate(fitted.gamma, drawn.gamma),
        sigma=_estimate(fitted.sigma, drawn.sigma),
        kappa=_estimate(fitted.kappa, drawn.kappa),
        load=_seen(n, x),
    )


def highest_within(throughput: Floats, latency: Floats, at_most: float) -> tuple[float, bool]:
    """The highest throughput up to which a latency objective held, and whether it was seen to fail above.

    Spans of time are ordered by throughput and cut into groups of like load; the objective holds in a group when it does in
    nine tenths of its spans. Raises ValueError with no span of which both are known.
    """
    known = np.isfinite(throughput) & np.isfinite(latency)
    if not known.any():
        raise ValueError("no span of time has both a throughput and a latency")
    order = np.argsort(throughput[known], kind="stable")
    x, held = throughput[known][order], (latency[known] <= at_most)[order]
    groups = np.array_split(np.arange(len(x)), int(np.clip(len(x) // _LIKE_LOAD, 1, _MOST_GROUPS)))
    reached = 0.0
    for group in groups:
        if held[group].mean() < _HOLDS:
            return reached, True
        reached = float(x[group[-1]])
    return reached, False


def _too_uniform(n: Floats, x: Floats, counted: str) -> str:
    """Why the measurements cannot tell a ceiling, before any fit; empty where they may."""
    if len(n) < LEAST_POINTS:
        return f"there are {len(n)} measurements, at least {LEAST_POINTS} are needed"
    if (top := float(np.quantile(n, 0.95))) < _LEAST_IN_FLIGHT:
        return f"there are hardly more than {top:.2g} {counted} at once: nothing contends yet"
    spread, rise = _factor(n), _factor(x)
    if spread < _LEAST_SPREAD or rise < _LEAST_RISE:
        return (
            f"the load never varied enough: {counted} by a factor of {spread:.1f} and throughput by {rise:.1f}, "
            f"{_LEAST_SPREAD:g} and {_LEAST_RISE:g} are needed"
        )
    if (spread < _CLEAR_SPREAD or rise < _CLEAR_RISE) and len(n) >= _ENOUGH_FOR_OUTLIERS and _noise_share(n) > _MOST_NOISE:
        return "the load never varied enough: what varies is noise from one measurement to the next"
    return ""


def _noise_share(n: Floats) -> float:
    """Share of the variance that changes from one measurement to the next (von Neumann, 1941): 1 for noise, less for load."""
    log = np.log(n)
    return float((np.diff(log) ** 2).mean() / 2.0 / max(log.var(), 1e-12))


def _not_bent(n: Floats, drawn: Usl, peak: Estimate, counted: str) -> str:
    top = np.quantile(n, 0.95)
    reached = drawn.throughput(np.array([top]))[:, 0] / (drawn.gamma * top)
    if np.quantile(reached, 0.95) > _NO_BEND:
        return f"throughput grows in proportion up to {top:.3g} {counted}: the load never came near the ceiling"
    if not peak.upper < _WIDEST * peak.lower:
        return f"the load never came near enough to the ceiling: it may lie anywhere from {peak.lower:.3g} calls/s upwards"
    return ""


def _weights(n: Floats, x: Floats) -> Floats:
    """1 for every point, 0 for outliers: more than six robust standard deviations from a fit that outliers do not bend.

    The fit in between uses Tukey's bisquare; the last one does not, since weights that follow the residuals would make the
    bootstrap's intervals too narrow.
    """
    weight = np.ones(len(n))
    if len(n) < _ENOUGH_FOR_OUTLIERS:
        return weight
    for _ in range(10):
        expected = fit_usl(n, x[None, :], weight).throughput(n)[0]
        residual = (x - expected) / expected
        scale = 1.4826 * float(np.median(np.abs(residual))) + 1e-12
        weight = np.maximum(1.0 - (residual / (_BISQUARE * scale)) ** 2, 0.0) ** 2
    return np.asarray(np.abs(residual) <= _OUTLIER * scale, dtype=float)


def _noisier(n: Floats, x: Floats, fitted: Usl, weight: Floats, rng: np.random.Generator) -> list[Usl]:
    """Fits to copies with as much noise again in throughput and in latency as there seems to be (SIMEX; Cook and Stefanski,
    1994): how they differ from the fit tells what the noise that is there has done to it.

    Concurrency is throughput times latency, so its noise is of both. The residual of log throughput at a local slope b of the
    curve is (1 - b) times the one less b times the other; no more can be noise than changes between neighbours.
    """
    expected = fitted.throughput(n)[0]
    slope = np.gradient(np.log(expected[np.argsort(n)]), np.log(n[np.argsort(n)]) + 1e-9 * np.arange(len(n)))
    share = float(((1.0 - slope) ** 2 + slope**2).mean())
    inside = weight > 0.0
    variance = float((np.log(x / expected)[inside] ** 2).mean()) / max(share, 0.5)
    if len(n) >= _ENOUGH_FOR_OUTLIERS:
        variance = min(variance, float((np.diff(np.log(n)) ** 2).mean()) / 4.0)
    noise = np.sqrt(variance) * rng.standard_normal((_COPIES, 2, len(n)))
    return [fit_usl(n * np.exp(in_x + in_latency), (x * np.exp(in_x))[None, :], weight) for in_x, in_latency in noise]


def _widened(estimate: Estimate, noisier: Floats) -> Estimate:
    """The interval, stretched to where it would lie without the noise of the concurrency."""
    usual = float(np.median(noisier))
    shift = estimate.value / usual if np.isfinite(usual) and np.isfinite(estimate.value) else 1.0
    return Estimate(
        value=estimate.value,
        lower=estimate.lower * min(shift, 1.0),
        upper=estimate.upper * max(shift, 1.0),
    )


def _bootstrap_targets(n: Floats, x: Floats, fitted: Usl, weight: Floats, rng: np.random.Generator) -> Floats:
    """Throughput as it might have been measured, shape (n_replicates, n_points); the noise of few points has one size."""
    expected = fitted.throughput(n)[0]
    leverage = _leverage(n, fitted, weight)
    if len(n) < _ENOUGH_FOR_WILD:
        shape = expected**_NOISE_POWER
        scale = np.sqrt((((x - expected) / shape) ** 2 / (1.0 - leverage)).mean())
        student = scipy.stats.t.ppf(0.95, max(len(n) - leverage.sum(), 1.0)) / scipy.stats.norm.ppf(0.95)
        return np.asarray(expected + shape * scale * student * rng.standard_normal((_REPLICATES, len(n))))
    residual = (x - expected) / (1.0 - leverage)
    width = _block(np.sqrt(weight) * residual)
    blocks = -(-len(n) // width)
    signs = np.repeat(rng.choice(_WEBB, size=(_REPLICATES, blocks)), width, axis=1)[:, : len(n)]
    return np.asarray(expected + signs * residual)


def _leverage(n: Floats, fitted: Usl, weight: Floats) -> Floats:
    """Diagonal of the hat matrix of the linearised fit, of the parameters that are not nought; at most 0.9."""
    expected = fitted.throughput(n)[0]
    slope = expected * expected / n
    columns = [slope]
    if fitted.sigma[0] > 0.0:
        columns.append(slope * (n - 1.0))
    if fitted.kappa[0] > 0.0:
        columns.append(slope * n * (n - 1.0))
    q, _ = np.linalg.qr(np.stack(columns, axis=1) * np.sqrt(weight)[:, None])
    return np.asarray(np.minimum((q * q).sum(axis=1), 0.9))


def _block(residual: Floats) -> int:
    """How many neighbours share a sign: Carlstein's rule for an autoregression (1986), 1 where residuals are independent."""
    if len(residual) < 2 * _ENOUGH_FOR_OUTLIERS:
        return 1
    total = float((residual * residual).sum())
    rho = min(max(float((residual[1:] * residual[:-1]).sum()) / max(total, 1e-12), 0.0), 0.97)
    length = (2.0 * rho / (1.0 - rho * rho)) ** (2.0 / 3.0) * len(residual) ** (1.0 / 3.0)
    return int(np.clip(np.ceil(length), 1, len(residual) // 10))


def _estimate(value: Floats, drawn: Floats) -> Estimate:
    lower, upper = np.quantile(drawn, (0.05, 0.95), method="closest_observation")  # infinite ones cannot be interpolated
    return Estimate(value=float(value[0]), lower=float(lower), upper=float(upper))


def _seen(n: Floats, x: Floats) -> MeasuredLoad:
    if not len(n):
        return MeasuredLoad(points=0, concurrency_from=np.nan, concurrency_to=np.nan, highest_tps=np.nan)
    low, high = np.quantile(n, (0.05, 0.95))
    return MeasuredLoad(
        points=len(n), concurrency_from=float(low), concurrency_to=float(high), highest_tps=float(np.quantile(x, 0.95))
    )


def _factor(values: Floats) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(high / low)


_UNKNOWN = Estimate(value=np.nan, lower=np.nan, upper=np.nan)


def _refused(n: Floats, x: Floats, reason: str) -> Ceiling:
    load = _seen(n, x)
    return Ceiling(
        state=CeilingState.UNIDENTIFIED,
        gamma=_UNKNOWN,
        sigma=_UNKNOWN,
        kappa=_UNKNOWN,
        peak_tps=Estimate(value=np.nan, lower=load.highest_tps, upper=np.inf),
        peak_concurrency=_UNKNOWN,
        load=load,
        reason=reason,
        advice=_advice(n, x),
    )


def _advice(n: Floats, x: Floats) -> str:
    """The load test that would settle it: steps that double, from half of what is usual to where latency bends."""
    if not len(n):
        return "run a load test in steps of 5 minutes that double, until throughput no longer grows"
    usual, most = float(np.median(x)), float(np.quantile(x, 0.95))
    return (
        f"run a load test in steps of 5 minutes, from {usual / 2:.3g} to {4 * most:.3g} calls/s, each step 1.5 times the one "
        "before, and stop where throughput no longer grows or errors appear"
    )
