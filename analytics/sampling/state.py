"""What is remembered of samples between runs, as JSON on the way to the store and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from analytics.sampling.runs import Key, Run
from analytics.sampling.series import SampleModels
from core.types import Anomaly
from storage.contract import Store
from storage.detector_state import read_state_before, write_state

DETECTOR = "samples"
"""Name under which it is kept."""
_FORMAT = 1


@dataclass(slots=True, kw_only=True)
class SampleState:
    """Minutes before `until` are judged. `seen` is the last minute of each series, `runs` are open anomalies."""

    until: datetime
    models: SampleModels
    keys: dict[str, Key] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()

    def forget(self, before: int) -> None:
        """Make room: series without a sample since that minute are no longer known."""
        gone = [text for text, minute in self.seen.items() if minute < before]
        if gone:
            self.models.without(gone)
            self.seen = {text: minute for text, minute in self.seen.items() if minute >= before}

    def to_json(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "until": self.until.isoformat(),
            "models": self.models.to_json(),
            "keys": {text: [key.name, dict(key.labels)] for text, key in self.keys.items()},
            "seen": self.seen,
            "runs": [run.to_json() for run in self.runs],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any] | None, zone: str) -> Self | None:
        """From `to_json`; None where there is none, or one of another format or of another time zone."""
        if not state or state.get("format") != _FORMAT or state["models"]["zone"] != zone:
            return None
        return cls(
            until=datetime.fromisoformat(state["until"]),
            models=SampleModels.from_json(state["models"]),
            keys={text: Key(name=name, labels=labels) for text, (name, labels) in state["keys"].items()},
            seen=dict(state["seen"]),
            runs=tuple(Run.from_json(run) for run in state["runs"]),
        )


def read_known(store: Store, before: datetime, zone: str) -> SampleState | None:
    """The newest state that knows of no minute from `before` on."""
    return SampleState.from_json(read_state_before(store, DETECTOR, before), zone)


def keep(store: Store, state: SampleState, epoch: int) -> None:
    write_state(store, DETECTOR, state.until, state.to_json(), epoch)


def latest_of(events: list[Anomaly]) -> dict[str, Anomaly]:
    """The last of what was told of each anomaly."""
    return {anomaly.id: anomaly for anomaly in events}
