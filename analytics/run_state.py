"""What the state machine of anomalies remembers between minutes; plain JSON on the way to the store and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from analytics.diagnosis import Diagnosis
from analytics.evidence import Evidence
from core.config import DetectionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """When anomalies open and end; see `detection` in the configuration."""

    confirm_minutes: int = 2
    confirm_within: int = 3
    instant_score: float = 1.5
    resolve_minutes: int = 3

    @classmethod
    def of(cls, settings: DetectionSettings) -> Self:
        """As configured."""
        return cls(
            confirm_minutes=settings.confirm_minutes,
            confirm_within=settings.confirm_within,
            instant_score=settings.instant_score,
            resolve_minutes=settings.resolve_minutes,
        )

    def confirms(self, score: float, sure: bool, recent: Sequence[float]) -> bool:
        """Whether a minute opens an anomaly: very far out and to be relied on, or out in enough of the `recent` minutes, itself
        the last.
        """
        return (sure and score >= self.instant_score) or sum(one >= 1.0 for one in recent) >= self.confirm_minutes

    @property
    def window(self) -> int:
        """How many minutes are looked at for a confirmation."""
        return max(self.confirm_within, self.confirm_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Of the forest and the baselines that judged."""

    model: str
    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An open anomaly. Times are ISO texts.

    Attributes
    ----------
    members : dict
        Selectors that strayed, each with the metric by which it did so most when it joined.
    quiet, quiet_since : int, str
        Normal minutes in a row, and the first of them.
    opened_at : str
        End of the minute whose judgement opened it.
    diagnosis, diagnosed_at : Diagnosis or None, str
        What the single calls said of it, and the minute at which they were asked last.
    """

    id: str
    started_at: str
    last_at: str
    grown_at: str
    quiet: int
    quiet_since: str
    score: float
    members: dict[str, str]
    evidence: tuple[Evidence, ...]
    opened_at: str = ""
    diagnosis: Diagnosis | None = None
    diagnosed_at: str = ""

    @property
    def lead(self) -> Evidence:
        return max(self.evidence, key=lambda part: part.led)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything that is remembered between minutes.

    Attributes
    ----------
    minute : str
        The last minute that was judged, ISO; empty at the start.
    recent : dict
        Scores of the last minutes, oldest first, of selections that were anomalous in one of them.
    """

    minute: str = ""
    recent: dict[str, list[float]] = field(default_factory=dict)
    open: tuple[Run, ...] = ()

    def to_json(self) -> dict[str, Any]:
        runs = [
            {
                **{name: getattr(run, name) for name in Run.__slots__},
                "evidence": [asdict(part) for part in run.evidence],
                "diagnosis": run.diagnosis and run.diagnosis.to_json(),
            }
            for run in self.open
        ]
        return {"minute": self.minute, "recent": self.recent, "open": runs}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """From `to_json`, also after a way through JSON."""
        runs = (
            Run(
                **{
                    **run,
                    "evidence": tuple(Evidence(**part) for part in run["evidence"]),
                    "diagnosis": Diagnosis.from_json(run["diagnosis"]) if run.get("diagnosis") else None,
                }
            )
            for run in state.get("open", ())
        )
        return cls(minute=state.get("minute", ""), recent=dict(state.get("recent", {})), open=tuple(runs))
