"""Rule: a tenant that fills a service's minutes with refusals, far above its ordinary share, should be limited."""

import numpy as np

from analytics.recommending.measures import BLOCKS, block_sums, resampled
from analytics.recommending.totals import Estate, confidence_of, share
from analytics.replay.calls import Floats, LoggedCalls, Mask
from core.recommendations import Effect, Finding
from core.series import Selector

_PEAK_REJECTS = 0.03
_LEAST_REJECTED = 50
_LEAST_SHARE = 0.25
_LEAST_LIFT = 2.5
_ORDINARY = 0.99
_ROOM = 1.5
_MINUTE_S = 60.0


def limited_tenants(estate: Estate) -> list[Finding]:
    """For each service the tenant that fills its minutes with refusals, far above its ordinary share."""
    services = estate.calls.labels["service"]
    found = []
    for code in np.unique(services.codes[estate.calls.rejected]):
        mask = services.codes == code
        if estate.calls.rejected[mask].sum() >= _LEAST_REJECTED:
            found += _loudest(estate, str(services.values[code]), estate.calls.where(mask))
    return found


def _loudest(estate: Estate, service: str, ours: LoggedCalls) -> list[Finding]:
    minute = ((ours.ts_s - ours.start.timestamp()) // _MINUTE_S).astype(np.int64)
    size = int(minute.max()) + 1
    calls, rejected = np.bincount(minute, minlength=size), np.bincount(minute[ours.rejected], minlength=size)
    peak = rejected > np.maximum(_PEAK_REJECTS * calls, 1)
    inside = peak[minute]
    if not inside.any() or inside.all():
        return []
    tenants = ours.labels["tenant"]
    count = len(tenants.values)
    now = np.bincount(tenants.codes[inside], minlength=count) / inside.sum()
    usual = np.bincount(tenants.codes[~inside], minlength=count) / (~inside).sum()
    lift = now / np.maximum(usual, 1e-3)
    loud = np.flatnonzero((now >= _LEAST_SHARE) & (lift >= _LEAST_LIFT) & (tenants.values != ""))
    return [
        _limit(estate, service, ours, minute, peak, str(tenants.values[one]), (float(now[one]), float(usual[one])))
        for one in loud
    ]


def _limit(
    estate: Estate, service: str, ours: LoggedCalls, minute: np.ndarray, peak: Mask, tenant: str, shares: tuple[float, float]
) -> Finding:
    theirs = ours.labels["tenant"].equal(tenant)
    size = len(peak)
    own = np.bincount(minute[theirs], minlength=size).astype(float)
    rate = max(_ROOM * float(np.quantile(own[~peak], _ORDINARY)), 1.0) / _MINUTE_S
    others = np.bincount(minute[~theirs], minlength=size).astype(float)
    refused = np.bincount(minute[~theirs & ours.rejected], minlength=size).astype(float)
    accepted = np.bincount(minute[~ours.rejected], minlength=size).astype(float)
    # What the limited tenant leaves free goes to the others: only what still exceeds what was accepted is refused.
    allowed = np.minimum(own, rate * _MINUTE_S)
    excess = np.maximum(others + allowed - accepted, 0.0)
    left = np.where(peak, np.minimum(excess * others / np.maximum(others + allowed, 1.0), refused), refused)
    sums = [_by_block(values, size) for values in (left, refused, others)]
    before, after = refused.sum() / others.sum(), left.sum() / others.sum()
    low, high = resampled(sums, lambda less, was, all_: before + (less - was) / np.maximum(all_, 1.0), estate.seed)
    scope = Selector.of(service=service, tenant=tenant)
    effect = Effect(
        measure="rejected_rate_of_others", scope=scope, unit="1", before=float(before), after=float(after), lower=max(low, 0.0),
        upper=high,
    )  # fmt: skip
    return Finding(
        rule="limit_tenant",
        selector=scope,
        about=tenant,
        action=f"Limit {tenant} to {rate:.2g} calls/s of {service}, one and a half times its busiest ordinary minute.",
        evidence=(
            f"in {int(peak.sum())} minutes {service} refuses calls",
            f"{tenant} sends {shares[0]:.0%} of its calls then, else {shares[1]:.0%}",
            f"{int(refused.sum()):,} calls of others were refused",
        ),
        effect=effect,
        gain=share(float((refused - left).sum()), estate.rejected),
        gain_of="refused calls",
        confidence=confidence_of(effect),
        verify=f"the share of refused calls of the other tenants of {service} should fall to {after:.2%} at the next peak",
    )


def _by_block(by_minute: Floats, size: int) -> Floats:
    place = np.minimum(np.arange(size) * BLOCKS // max(size, 1), BLOCKS - 1)
    return block_sums(place, by_minute)
