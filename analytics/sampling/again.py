"""Minutes that are judged again: samples came late to them, or somebody spoke of them. What was told is amended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from analytics.sampling.judging import judge_until
from analytics.sampling.state import SampleState, latest_of, read_known
from core.config import Settings
from core.masks import mask_of
from core.series import is_sample
from core.types import Anomaly, AnomalyVerdict
from storage.anomalies import read_anomalies
from storage.contract import Store
from storage.masks import read_masks
from storage.sample_series import first_late_sample

_LONGEST = timedelta(days=1)
"""What is older is left as it was told and learned."""
_ALIKE = 0.1
"""A score that changes by a smaller part says the same."""


def judged_again(
    store: Store, settings: Settings, state: SampleState, since: datetime, now: datetime
) -> tuple[SampleState, list[Anomaly]]:
    """The state as it is with what was written in [since, now) about minutes that it knew, and what is to be told now."""
    first, late = _changed_from(store, settings, state.until, since, now)
    known = None if first is None else read_known(store, first, state.models.zone)
    if first is None or known is None:
        return state, []
    open_before = known.runs
    told = latest_of(judge_until(store, settings, known, state.until))
    masks = read_masks(store, first, state.until)
    stood = [one for one in read_anomalies(store, first, state.until) if is_sample(one.metric) and one.started_at >= first]
    stood = [one for one in stood if one.id not in {run.id for run in open_before} and mask_of(one, masks) is None]
    return known, compared(stood, told, late)


def compared(stood: Sequence[Anomaly], told: dict[str, Anomaly], late: int) -> list[Anomaly]:
    """What is said now (`told`, by id) against what stood: the same, amended, withdrawn or new."""
    samples = f"{late} late sample{'' if late == 1 else 's'}"
    out, before = list[Anomaly](), {one.id: one for one in stood}
    for one in stood:
        if one.id not in told and one.verdict is not AnomalyVerdict.WITHDRAWN:
            said = f"{one.explanation} Withdrawn: with {samples} it would not have been told."
            ended = one.ended_at or one.last_at + timedelta(minutes=1)
            out.append(replace(one, verdict=AnomalyVerdict.WITHDRAWN, ended_at=ended, explanation=said))
    for one in told.values():
        old = before.get(one.id)
        if old is None:
            out.append(one)
        elif abs(one.score - old.score) > _ALIKE * old.score:
            said = f"{one.explanation} Amended with {samples}: score {one.score:.2f} instead of {old.score:.2f}."
            out.append(replace(one, verdict=AnomalyVerdict.AMENDED, explanation=said))
        elif (one.last_at, one.ended_at) != (old.last_at, old.ended_at):
            out.append(one)
    return out


def _changed_from(
    store: Store, settings: Settings, until: datetime, since: datetime, now: datetime
) -> tuple[datetime | None, int]:
    """The first judged minute of which something new is known, and how many samples came late."""
    oldest = until - _LONGEST
    late = first_late_sample(store, oldest, until, settings.detection.max_delay, since, now)
    new = [mask.start for mask in read_masks(store, oldest, until) if since <= mask.made_at < now]
    found = [max(at, oldest) for at in (*new, *([late[0]] if late else []))]
    return (min(found) if found else None), (late[1] if late else 0)
