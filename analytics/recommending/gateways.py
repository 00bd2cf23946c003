"""Rules about the gateway itself: load that is spread unevenly, and routes on which the gateway is the bottleneck."""

import numpy as np

from analytics.recommending.measures import block_sums, blocks, overhead_ms, resampled
from analytics.recommending.totals import Estate, comparing, confidence_of, share
from analytics.replay.calls import Floats, LoggedCalls, Mask
from core.recommendations import Effect, Finding
from core.series import Selector

_UNEVEN = 1.4
_SLOWER = 1.15
_LEAST_CALLS = 500
_LEAST_CELLS = 50
_CELL_S = 300.0
_LEAST_SHARE = 0.3
_TIMES_OTHERS = 3.0
_LEAST_MS = 10.0


def uneven_load(estate: Estate) -> list[Finding]:
    """One gateway has far more than its share, and takes longer for it."""
    calls, gateways = estate.calls, estate.calls.labels["gateway"]
    names = np.unique(gateways.codes[gateways.known])
    count = np.bincount(gateways.codes, minlength=len(gateways.values))[names]
    if len(names) < 2 or count.min() < _LEAST_CALLS or count.max() < _UNEVEN * count.mean():
        return []
    own = overhead_ms(calls)
    busiest = gateways.codes == names[count.argmax()]
    usual = _usual_overhead(calls, own)
    rest = own - usual
    means = [float(np.nanmean(rest[mask])) + float(np.nanmean(own)) for mask in (busiest, ~busiest)]
    if means[0] < _SLOWER * means[1]:
        return []
    predicted = _when_even(calls, own, len(names))
    if predicted is None:
        return []
    before = float(np.nanmean(own))
    effect = Effect(
        measure="overhead",
        scope=Selector(),
        unit="ms",
        before=before,
        after=predicted[0],
        lower=predicted[1],
        upper=predicted[2],
    )
    name = str(gateways.values[names[count.argmax()]])
    part = float(count.max() / count.sum())
    if effect.upper >= effect.before:
        return []
    return [
        Finding(
            rule="uneven_load",
            selector=Selector.of(gateway=name),
            about=name,
            action=f"Spread the load evenly over the {len(names)} gateways: {name} carries {part:.0%} of it.",
            evidence=(
                f"{name} answers {part:.0%} of the calls, an even share is {1 / len(names):.0%}",
                f"it takes {means[0]:.1f} ms for itself where the others take {means[1]:.1f} ms",
                "the busier a gateway in five minutes, the longer it takes: fitted over all of them",
            ),
            effect=effect,
            gain=share((before - predicted[0]) * float(np.isfinite(own).sum()), estate.waited_ms),
            gain_of="waiting",
            confidence=confidence_of(effect),
            verify="the time that gateways take for themselves (gateway_overhead_p95) should come together, and fall",
        )
    ]


def _usual_overhead(calls: LoggedCalls, own: Floats) -> Floats:
    """The mean of each call's route."""
    codes = calls.labels["route"].codes
    known = np.isfinite(own)
    sums, count = (
        np.bincount(codes[known], values, minlength=codes.max() + 1) for values in (own[known], np.ones(known.sum()))
    )
    out: Floats = (sums / np.maximum(count, 1.0))[codes]
    return out


def _when_even(calls: LoggedCalls, own: Floats, instances: int) -> tuple[float, float, float] | None:
    """Mean overhead with even load: a line through five minutes of each gateway, load against overhead, read at even load."""
    codes = calls.labels["gateway"].codes
    cell = ((calls.ts_s - calls.start.timestamp()) // _CELL_S).astype(np.int64)
    cells = int(cell.max()) + 1
    key = codes * cells + cell
    known = np.isfinite(own) & calls.labels["gateway"].known
    size = (int(codes.max()) + 1) * cells
    load = np.bincount(key, minlength=size).astype(float)
    count = np.bincount(key[known], minlength=size).astype(float)
    sums = np.bincount(key[known], own[known], minlength=size)
    used = count >= 5
    if used.sum() < _LEAST_CELLS:
        return None
    x, y, weight = load[used], sums[used] / count[used], count[used]
    even = np.bincount(cell, minlength=cells) / instances
    rng = np.random.default_rng(0)
    found = []
    for drawn in (np.arange(len(x)), *(rng.integers(0, len(x), len(x)) for _ in range(200))):
        slope, level = np.polyfit(x[drawn], y[drawn], 1, w=np.sqrt(weight[drawn]))
        found.append(float(np.average(level + slope * even, weights=np.maximum(even, 1e-9))))
    low, high = np.quantile(found[1:], [0.05, 0.95])
    return found[0], float(low), float(high)


def bottlenecks(estate: Estate) -> list[Finding]:
    """Routes on which the gateway takes three times as long as on others, and a third of the whole latency."""
    calls, own = estate.calls, overhead_ms(estate.calls)
    routes = calls.labels["route"]
    known = np.isfinite(own)
    codes = [code for code in np.unique(routes.codes[known]) if (known & (routes.codes == code)).sum() >= _LEAST_CALLS]
    means = {code: float(own[known & (routes.codes == code)].mean()) for code in codes}
    if len(codes) < 3:
        return []
    found = []
    for code in codes:
        typical = float(np.median([mean for other, mean in means.items() if other != code]))
        mask = routes.codes == code
        part = float(own[known & mask].sum() / np.nansum(calls.latency_ms[known & mask]))
        if means[code] >= max(_TIMES_OTHERS * typical, typical + _LEAST_MS) and part >= _LEAST_SHARE:
            found.append(_bottleneck(estate, str(routes.values[code]), mask, own, (typical, part)))
    return found


def _bottleneck(estate: Estate, route: str, mask: Mask, own: Floats, seen: tuple[float, float]) -> Finding:
    typical, part = seen
    calls = estate.calls
    scope = Selector.of(route=route)
    answered = mask & ~calls.rejected & np.isfinite(calls.latency_ms)
    spared = np.where(np.isfinite(own), own - typical, 0.0)
    place = blocks(calls)
    sums = [block_sums(place[answered], values) for values in (spared[answered], np.ones(int(answered.sum())))]
    before = float(calls.latency_ms[answered].mean())
    after = before - float(spared[answered].mean())
    low, high = resampled(sums, lambda less, count: before - less / np.maximum(count, 1.0), estate.seed)
    effect = Effect(measure="mean_latency", scope=scope, unit="ms", before=before, after=after, lower=max(low, 0.0), upper=high)
    return Finding(
        rule="gateway_bottleneck",
        selector=scope,
        about=route,
        action=f"Look at what the gateway does on {route} (plugins, authentication, transforms): it is the bottleneck.",
        evidence=(
            f"{part:.0%} of the latency of {route} passes in the gateway itself",
            f"{float(np.nanmean(own[mask])):.0f} ms a call, on other routes {typical:.0f} ms",
        ),
        effect=effect,
        gain=share(float(spared[answered].sum()), estate.waited_ms),
        gain_of="waiting",
        confidence=confidence_of(effect),
        verify=comparing(scope, f"gateway_overhead_p95 of {route} should come near that of other routes"),
    )
