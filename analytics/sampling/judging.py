"""Judges stored samples from where a state stands to a later minute."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.sampling.runs import Key, advance
from analytics.sampling.series import JudgedPoint, Points
from analytics.sampling.state import SampleState
from core.config import Settings
from core.masks import Mask, holds
from core.types import Anomaly
from storage.contract import Store
from storage.masks import read_masks
from storage.sample_series import read_sample_series

CHUNK = timedelta(days=1)
Span = tuple[datetime, datetime]
_MINUTE = timedelta(minutes=1)


def judge_until(
    store: Store, settings: Settings, state: SampleState, until: datetime, quiet: Span | None = None
) -> list[Anomaly]:
    """Judge and learn everything before `until`; the state is moved there. Returns what opened, changed or ended.

    Nothing is told of the minutes of `quiet`, nor of series that are still learning.
    """
    told = list[Anomaly]()
    while state.until < until:
        end = min(state.until + CHUNK, until)
        points = state.models.judge(_points(store, state, end), settings.detection.max_sample_series)
        learned = settings.detection.min_history // _MINUTE
        worth = [one for one in points if one.minute - state.models.began[one.key][0] >= learned and not _within(one, quiet)]
        steps = {one.key: state.models.began[one.key][1] for one in worth}
        state.runs, events = advance(state.runs, worth, minute_of(end), state.keys, steps, settings.detection.resolve_minutes)
        state.until = end
        told += events
    return told


def minute_of(at: datetime) -> int:
    """Whole minutes since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MINUTE


def _points(store: Store, state: SampleState, end: datetime) -> list[Points]:
    masks = read_masks(store, state.until, end)
    found = []
    for one in read_sample_series(store, state.until, end):
        key = Key(name=one.name, labels=one.labels)
        state.keys[key.text], state.seen[key.text] = key, int(one.minutes[-1])
        found.append(Points(key=key.text, minutes=one.minutes, values=_unmasked(one.minutes, one.means, key, masks)))
    return found


def _unmasked(minutes: np.ndarray, means: np.ndarray, key: Key, masks: Sequence[Mask]) -> np.ndarray:
    """NaN where people said that it is no example: neither judged nor learned."""
    values = means.copy()
    for mask in masks:
        if holds(key.selector, mask.selector):
            values[(minutes >= minute_of(mask.start)) & (minutes < minute_of(mask.until))] = np.nan
    return values


def _within(point: JudgedPoint, span: Span | None) -> bool:
    return span is not None and minute_of(span[0]) <= point.minute < minute_of(span[1])
