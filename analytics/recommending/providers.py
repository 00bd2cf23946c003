"""Rule: what another provider serves faster, like for like, for no more money and with no more failures."""

import numpy as np

from analytics.recommending.replayed import kept, scenario_of
from analytics.recommending.totals import Estate, comparing, confidence_of, share
from analytics.replay.run import replay
from core.predictions import Prediction
from core.recommendations import Effect, Finding
from core.series import Selector

_LEAST_CALLS = 200
_LEAST_FASTER = 0.10
_LEAST_GAIN = 0.01
_DEARER, _WORSE = 1.02, 0.003
_RESAMPLES = 40
_MOST_GROWTH = 3.0


def faster_providers(estate: Estate) -> list[Finding]:
    """For each service and provider the one that would spare most waiting, where it spares a tenth of its calls' or more."""
    services = estate.calls.labels["service"]
    found = []
    for code in np.unique(services.codes):
        mask = (services.codes == code) & estate.calls.labels["provider"].known
        if mask.sum() >= 2 * _LEAST_CALLS:
            found += _of_service(estate, str(services.values[code]), mask)
    return found


def _of_service(estate: Estate, service: str, mask: np.ndarray) -> list[Finding]:
    ours = estate.calls.where(mask)
    providers = ours.labels["provider"]
    present = [str(providers.values[code]) for code in np.unique(providers.codes)]
    counts = {name: int(providers.equal(name).sum()) for name in present}
    means = {
        name: float(np.nanmean(ours.latency_ms[providers.equal(name)])) for name in present if counts[name] >= _LEAST_CALLS
    }
    found = []
    for slow in means:
        better = [
            one
            for fast in means
            if means[fast] < (1.0 - _LEAST_FASTER) * means[slow] and counts[slow] <= (_MOST_GROWTH - 1.0) * counts[fast]
            if (one := _moved(estate, service, slow, fast, mask)) is not None
        ]
        if better:
            found.append(max(better, key=lambda one: one.gain))
    return found


def _moved(estate: Estate, service: str, slow: str, fast: str, mask: np.ndarray) -> Finding | None:
    ours = estate.calls.where(mask)
    share_of = float(ours.labels["provider"].equal(slow).mean())
    moves = [{"selector": {"provider": slow}, "share": 1.0, "to": {"provider": fast}}]
    what = scenario_of(estate, f"{service} from {slow} to {fast}", {"service": service}, moves=moves)
    predicted = replay(ours, what, seed=estate.seed, resamples=_RESAMPLES)
    if predicted.refusals or not _no_worse(predicted):
        return None
    flight = predicted.metric("concurrency")
    gain = share((flight.before - flight.after) * estate.hours * 3_600_000.0, estate.waited_ms)
    if flight.upper > (1.0 - _LEAST_FASTER * share_of) * flight.before or gain < _LEAST_GAIN:
        return None
    scope = Selector.of(service=service)
    everything = estate.calls.matching(scope) & ~estate.calls.rejected
    mean = float(np.nanmean(estate.calls.latency_ms[everything]))
    per_call = estate.hours * 3_600_000.0 / max(int(everything.sum()), 1)
    effect = Effect(
        measure="mean_latency", scope=scope, unit="ms", before=mean,
        **{name: mean + (getattr(flight, name) - flight.before) * per_call for name in ("after", "lower", "upper")},
    )  # fmt: skip
    p95 = predicted.metric("latency_p95")
    return Finding(
        rule="faster_provider",
        selector=Selector.of(service=service, provider=slow),
        about=fast,
        action=f"Let {fast} answer what {slow} answers for {service}.",
        evidence=(
            f"{slow} answers {share_of:.0%} of the calls of {service} that go to providers",
            f"like for like (route, size, time) P95 would go from {p95.before:.0f} to {p95.after:.0f} ms",
            "neither cost nor failures would grow",
        ),
        effect=effect,
        gain=gain,
        gain_of="waiting",
        confidence=confidence_of(effect),
        verify=comparing(scope, f"latency_p95 of {service} should fall; watch its error rate and cost"),
        scenario=kept(what),
    )


def _no_worse(predicted: Prediction) -> bool:
    errors = predicted.metric("error_rate")
    rejected = predicted.metric("rejected_rate")
    dearer = any(one.name == "cost_per_h" and one.after > _DEARER * one.before for one in predicted.metrics)
    return not dearer and errors.after + rejected.after <= errors.before + rejected.before + _WORSE
