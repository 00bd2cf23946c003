"""Rule: a tenant whose prompts are twice as long as everybody's, for answers that are not, could cut them."""

import numpy as np

from analytics.recommending.measures import block_sums, blocks, resampled
from analytics.recommending.totals import Estate, comparing, confidence_of, share
from analytics.replay.calls import LoggedCalls, Mask
from core.recommendations import Effect, Finding
from core.series import Selector

_LEAST_CALLS, _LEAST_PEERS = 100, 200
_LONGER = 2.0
_SAME_ANSWER = 1.5
_LEAST_GAIN = 0.01


def long_prompts(estate: Estate) -> list[Finding]:
    """For each route the tenants whose prompts are twice as long as the others', for answers that are not."""
    calls = estate.calls
    known = np.isfinite(calls.prompt_tokens) & np.isfinite(calls.cost_usd) & (calls.cost_usd > 0)
    routes, tenants = calls.labels["route"], calls.labels["tenant"]
    found = []
    for route in np.unique(routes.codes[known]):
        of_route = known & (routes.codes == route)
        for tenant in np.unique(tenants.codes[of_route]):
            theirs = of_route & (tenants.codes == tenant)
            others = of_route & ~theirs
            if theirs.sum() >= _LEAST_CALLS and others.sum() >= _LEAST_PEERS and tenants.values[tenant]:
                found += _longer(estate, str(routes.values[route]), str(tenants.values[tenant]), theirs, others)
    return found


def _longer(estate: Estate, route: str, tenant: str, theirs: Mask, others: Mask) -> list[Finding]:
    calls = estate.calls
    medians = [float(np.median(calls.prompt_tokens[mask])) for mask in (theirs, others)]
    answers = [float(np.nanmedian(calls.completion_tokens[mask])) for mask in (theirs, others)]
    if medians[0] < _LONGER * medians[1] or answers[0] > _SAME_ANSWER * max(answers[1], 1.0):
        return []
    scope = Selector.of(route=route, tenant=tenant)
    everything = calls.matching(scope)
    # Of each call's prompt the part beyond that of the others, model by model, at the model's price.
    spared = np.zeros(len(calls))
    models = calls.labels["model"].codes
    for model in np.unique(models[theirs]):
        ours, peers = theirs & (models == model), others & (models == model)
        like = peers if peers.sum() >= _LEAST_CALLS // 4 else others
        ratio = float(calls.prompt_tokens[like].mean() / calls.prompt_tokens[ours].mean())
        spared[ours] = prompt_price(calls, ours | peers) * calls.prompt_tokens[ours] * max(1.0 - ratio, 0.0)
    place = blocks(calls)
    sums = [
        block_sums(place[everything], weights)
        for weights in (np.nan_to_num(calls.cost_usd[everything]), spared[everything], np.ones(int(everything.sum())))
    ]
    before = float(sums[0].sum() / sums[2].sum())
    after = before - float(sums[1].sum() / sums[2].sum())
    low, high = resampled(sums, lambda _, less, count: before - less / np.maximum(count, 1.0), estate.seed)
    effect = Effect(
        measure="cost_per_call", scope=scope, unit="USD", before=before, after=after, lower=max(low, 0.0), upper=high
    )
    gain = share(float(spared.sum()), estate.cost_usd)
    if gain < _LEAST_GAIN:
        return []
    return [
        Finding(
            rule="cut_prompts",
            selector=scope,
            about=tenant,
            action=f"Cut the prompts of {tenant} at {route} from {medians[0]:,.0f} tokens to the others' {medians[1]:,.0f}.",
            evidence=(
                f"half of its prompts have more than {medians[0]:,.0f} tokens, those of others {medians[1]:,.0f}",
                f"its answers are about as long: {answers[0]:,.0f} tokens, those of others {answers[1]:,.0f}",
            ),
            effect=effect,
            gain=gain,
            gain_of="cost",
            confidence=confidence_of(effect),
            verify=comparing(scope, f"the cost of a call of {tenant} should come near {after:.3g} USD"),
        )
    ]


def prompt_price(calls: LoggedCalls, mask: Mask) -> float:
    """USD of a prompt token: least squares of costs on prompt and completion tokens, which bills are linear in."""
    used = mask & np.isfinite(calls.completion_tokens)
    tokens = np.stack([calls.prompt_tokens[used], calls.completion_tokens[used]], axis=1)
    if len(tokens) < 3:
        return 0.0
    weights = 1.0 / np.maximum(tokens[:, :1], 1.0)
    solved = np.linalg.lstsq(tokens * weights, calls.cost_usd[used] * weights[:, 0], rcond=None)[0]
    return max(float(solved[0]), 0.0)
