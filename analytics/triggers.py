"""What of a deviation is worth telling, by metric: on which side, and from which effect on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analytics.features import DETECTION_METRICS, Floats
from core.config import DetectionSettings
from core.series import METRICS, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The least change that matters: by a factor, and by an amount in the metric's unit."""

    factor: float
    amount: float

    def matters(self, value: Floats, usual: Floats, part: float) -> npt.NDArray[np.bool_]:
        """Whether the change is large enough; with `part` below 1, to that part of the amounts. False where unknown."""
        factor = 1.0 + (self.factor - 1.0) * part
        high, low = np.maximum(value, usual), np.minimum(value, usual)
        return np.asarray((high >= factor * low) & (high - low >= self.amount * part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What of one metric is told.

    Attributes
    ----------
    bad : Direction or None
        The side that is bad news; None: the metric is not judged.
    effect, lasting : Effect
        The least change of a minute, and of several together.
    """

    bad: Direction | None
    effect: Effect
    lasting: Effect

    def on_bad_side(self, z: Floats) -> Floats:
        """How far deviations lie on the bad side, at least 0; 0 where unknown."""
        known = np.nan_to_num(z)
        match self.bad:
            case Direction.HIGH:
                return np.maximum(known, 0.0)
            case Direction.LOW:
                return np.maximum(-known, 0.0)
            case Direction.BOTH:
                return np.abs(known)
            case None:
                return np.zeros(known.shape)


_EFFECTS: Mapping[str, Effect] = {
    "tps": Effect(factor=1.5, amount=0.15),
    "error_rate": Effect(factor=2.0, amount=0.03),
    "rate_limited_rate": Effect(factor=2.0, amount=0.03),
    "latency_p50": Effect(factor=1.4, amount=10.0),
    "latency_p95": Effect(factor=1.4, amount=10.0),
    "tokens_per_s": Effect(factor=1.6, amount=5.0),
    "cost_per_h": Effect(factor=1.6, amount=0.05),
    "cache_hit_rate": Effect(factor=1.3, amount=0.15),
}
_LASTING: Mapping[str, Effect] = {"latency_p50": Effect(factor=1.6, amount=10.0)}
"""Over many minutes smaller changes are certain and still no trouble: near saturation, a tenth more calls is half as slow
again, which the comparison with the peers (`analytics.peers`) does not take away in full.
"""

TRIGGERS: Mapping[str, Trigger] = {
    metric: Trigger(bad=METRICS[metric].bad, effect=_EFFECTS[metric], lasting=_LASTING.get(metric, _EFFECTS[metric]))
    for metric in DETECTION_METRICS
}
"""What holds where nothing is configured."""


def triggers_of(settings: DetectionSettings) -> Mapping[str, Trigger]:
    """The triggers with what `detection.metrics` says otherwise."""
    return {metric: _configured(metric, trigger, settings) for metric, trigger in TRIGGERS.items()}


def _configured(metric: str, trigger: Trigger, settings: DetectionSettings) -> Trigger:
    own = settings.metrics.get(metric)
    if own is None:
        return trigger
    changed = {name: value for name, value in (("factor", own.factor), ("amount", own.amount)) if value is not None}
    bad = trigger.bad if own.direction is None else None if own.direction == "none" else Direction(own.direction)
    return Trigger(bad=bad, effect=replace(trigger.effect, **changed), lasting=replace(trigger.lasting, **changed))
