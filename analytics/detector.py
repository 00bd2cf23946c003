"""Judges spans of minutes one after the other, with the state that is carried between them. Pure but for its cache."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np

from analytics.detect import LINGERING, SHARP_MINUTES, Verdicts, judge, with_silence, with_steady, with_sustained
from analytics.earlier import Earlier
from analytics.features import Panel, align
from analytics.look_back import LookBack
from analytics.run_state import RunSettings, RunState, Versions
from analytics.runs import Diagnose, advance
from analytics.silence import Silence, score_silence
from analytics.sustained import sustained
from analytics.trained import Trained, in_force, load
from analytics.triggers import triggers_of
from core.calendars import in_zone, load_calendars
from core.config import DetectionSettings, Settings
from core.types import Anomaly
from storage.contract import Store

_MINUTE = timedelta(minutes=1)
_FORMAT = 2
"""Counts up when the shape of the state changes: one of another shape is started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """What is remembered between minutes; `silence` is None until something was judged."""

    runs: RunState = field(default_factory=RunState)
    silence: Mapping[str, list[float]] | None = None

    def to_json(self) -> dict[str, Any]:
        silence = None if self.silence is None else dict(self.silence)
        return {"format": _FORMAT, "runs": self.runs.to_json(), "silence": silence}

    @classmethod
    def from_json(cls, state: Mapping[str, Any] | None) -> Self | None:
        """From `to_json`; None where there is no state, or one that another version of this program wrote."""
        if not state or state.get("format") != _FORMAT:
            return None
        return cls(runs=RunState.from_json(state["runs"]), silence=state["silence"])


def judge_span(
    trained: Trained,
    panel: Panel,
    state: DetectorState,
    settings: DetectionSettings,
    diagnose: Diagnose | None = None,
    lead: int = 0,
) -> tuple[DetectorState, list[Anomaly]]:
    """Judge every minute of the panel but the first `lead`, which are only looked back at.

    Returns the next state and the latest form of every anomaly that changed. The same minutes in one span or in several bring
    the same anomalies, if `lead` is `analytics.sustained.LEAD` in each.
    """
    names = [str(selector) for selector in trained.baselines.selectors]
    silence = Silence.unseen(len(names)) if state.silence is None else Silence.from_json(state.silence, names)
    verdicts, silence = verdicts_of(trained, panel, settings, silence, lead)
    rules = RunSettings.of(settings)
    versions = Versions(model=trained.version.version, baseline=trained.version.version)
    runs, changed = state.runs, dict[str, Anomaly]()
    hot = set(np.flatnonzero((verdicts.score >= 1.0).any(axis=0)).tolist())
    for index in range(verdicts.minutes):
        if not (index in hot or runs.open or runs.recent):
            runs = _passed(runs, verdicts.start + index * _MINUTE)
            continue
        runs, events = advance(runs, verdicts.minute(index), rules, versions, diagnose)
        changed.update({event.id: event for event in events})
    return DetectorState(runs=runs, silence=silence.to_json(names)), list(changed.values())


def verdicts_of(
    trained: Trained, panel: Panel, settings: DetectionSettings, silence: Silence, lead: int = 0
) -> tuple[Verdicts, Silence]:
    """What all judges say of the minutes of the panel but the first `lead`, and the silence to carry on."""
    triggers, least = triggers_of(settings), settings.min_calls_per_minute
    fresh = panel.slice(lead, panel.minutes)
    verdicts = judge(fresh, trained.baselines, trained.forest, least, triggers)
    if trained.edges is not None:
        whole = align(panel, trained.baselines.selectors)
        lasting = sustained(trained.baselines, whole, trained.edges, fresh.minutes, triggers)
        before = None
        if lead and ((lasting.strength >= LINGERING).any() or (verdicts.strengths >= 1.0).any()):
            lately = panel.slice(max(lead - SHARP_MINUTES, 0), lead)
            before = judge(lately, trained.baselines, trained.forest, least, triggers)
        verdicts = with_sustained(with_steady(verdicts, before), lasting, before, triggers)
    scores, silence = score_silence(verdicts.calls, verdicts.expected, silence)
    return with_silence(verdicts, scores), silence


def _passed(runs: RunState, at: datetime) -> RunState:
    """The state after a minute in which nothing was anomalous, before it or in it."""
    judged_before = bool(runs.minute) and at <= datetime.fromisoformat(runs.minute)
    return runs if judged_before else replace(runs, minute=at.isoformat())


class Detector:
    """Keeps baselines and forest in memory and loads them again when a newer version is stored. Not for several threads."""

    def __init__(self) -> None:
        self._trained: Trained | None = None
        self._asked: object = None
        self._calendars = in_zone("UTC")
        self.look_back, self.earlier = LookBack(), Earlier()

    def trained(self, store: Store, settings: Settings) -> Trained | None:
        """The latest version; None while there is none. Calendars are read when it is loaded."""
        held = self._trained
        asked = (settings.time_zone, settings.time_zones, settings.calendars, settings.definitions)
        if asked != self._asked:
            held, self._asked, self._calendars = None, asked, load_calendars(settings)
        newer = load(store, self._calendars, unless=held.version.version if held else "")
        self._trained = in_force(newer, settings.definitions) if newer is not None else held
        return self._trained
