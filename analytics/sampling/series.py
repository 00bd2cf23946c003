"""Series of samples with what the univariate detector knows of them: points in, verdicts out, state to keep. No clock, no I/O.

A series is judged as `tpscope detect` judges a file of its points: its step is that of its first points, and what is said of a
point depends on the points before it alone. Series of one step share a detector; one without a point in a span stays as it is.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.univariate import Cadence, Detector, Judged, detect, step_of
from analytics.univariate.cadence import LEARNED_POINTS, Floats, Ints

_MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """New points of one series, ascending; `minutes` are whole ones since 1970."""

    key: str
    minutes: Ints
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPoint:
    """What is said of one point; see `analytics.univariate.Verdict`. `minute` is where it begins, since 1970."""

    key: str
    minute: int
    value: float
    score: float
    expected: float
    lower: float
    upper: float


@dataclass(slots=True)
class _Group:
    """The series of one step, in the order of the detector's columns."""

    keys: list[str]
    detector: Detector


@dataclass(slots=True, kw_only=True)
class SampleModels:
    """What is known of each series.

    Attributes
    ----------
    began : dict
        First minute of each series, and how many minutes lie between its points; 0 while that is not known.
    """

    zone: str
    began: dict[str, tuple[int, int]] = field(default_factory=dict)
    _first: dict[str, Points] = field(default_factory=dict)
    _groups: dict[float, _Group] = field(default_factory=dict)

    def judge(self, series: Iterable[Points], most: int) -> list[JudgedPoint]:
        """Judge and learn new points, in the order of their minutes; series beyond `most` are not taken up."""
        ready: dict[float, list[Points]] = {}
        step = {key: step_s for step_s, group in self._groups.items() for key in group.keys}
        for one in series:
            known = one if one.key in step else self._collected(one, most)
            if known is not None:
                step_s = step.get(one.key) or self._started(known)
                ready.setdefault(step_s, []).append(known)
        said = [point for step_s, points in ready.items() for point in self._judged(self._groups[step_s], step_s, points)]
        return sorted(said, key=lambda point: (point.minute, point.key))

    def without(self, keys: Iterable[str]) -> None:
        """Forget series."""
        gone = set(keys)
        for group in self._groups.values():
            kept = np.array([at for at, key in enumerate(group.keys) if key not in gone], np.int64)
            group.detector, group.keys = group.detector.of(kept), [group.keys[at] for at in kept]
        self._groups = {step_s: group for step_s, group in self._groups.items() if group.keys}
        self._first = {key: one for key, one in self._first.items() if key not in gone}
        self.began = {key: at for key, at in self.began.items() if key not in gone}

    def to_json(self) -> dict[str, Any]:
        first = {key: [one.minutes.tolist(), one.values.tolist()] for key, one in self._first.items()}
        groups = [[step_s, one.keys, _packed(one.detector.arrays())] for step_s, one in self._groups.items()]
        return {"zone": self.zone, "began": {key: list(at) for key, at in self.began.items()}, "first": first, "groups": groups}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """From `to_json`, also after a way through JSON."""
        models = cls(zone=state["zone"], began={key: (at[0], at[1]) for key, at in state["began"].items()})
        for key, (minutes, values) in state["first"].items():
            models._first[key] = Points(key=key, minutes=np.array(minutes, np.int64), values=np.array(values, float))
        for step_s, keys, packed in state["groups"]:
            detector = Detector.from_arrays(_unpacked(packed), Cadence.of(step_s))
            models._groups[step_s] = _Group(keys=list(keys), detector=detector)
        return models

    def _collected(self, new: Points, most: int) -> Points | None:
        """The first points of a series with these, once they tell its step; until then they are put by."""
        if new.key not in self.began:
            if len(self.began) >= most or not len(new.minutes):
                return None
            self.began[new.key] = (int(new.minutes[0]), 0)
        held = self._first.pop(new.key, replace(new, minutes=new.minutes[:0], values=new.values[:0]))
        whole = replace(
            new, minutes=np.concatenate([held.minutes, new.minutes]), values=np.concatenate([held.values, new.values])
        )
        if len(whole.minutes) > LEARNED_POINTS:
            return whole
        self._first[new.key] = whole
        return None

    def _started(self, points: Points) -> float:
        """Give a series whose step is known by now its place among those of that step."""
        step_s = step_of(points.minutes * _MINUTE_S)
        self.began[points.key] = (self.began[points.key][0], max(round(step_s / _MINUTE_S), 1))
        group = self._groups.get(step_s)
        if group is None:
            self._groups[step_s] = _Group(keys=[points.key], detector=Detector(1, Cadence.of(step_s)))
        else:
            group.keys.append(points.key)
            group.detector = group.detector.with_more(1)
        return step_s

    def _judged(self, group: _Group, step_s: float, series: Sequence[Points]) -> list[JudgedPoint]:
        """Points are judged in rounds, the first of each series, then the second of each that has one, and so on."""
        place = {key: at for at, key in enumerate(group.keys)}
        counts = np.array([len(one.minutes) for one in series], np.int64)
        minutes = np.zeros((counts.max(), len(series)), np.int64)
        values = np.full(minutes.shape, np.nan)
        for column, one in enumerate(series):
            minutes[: counts[column], column], values[: counts[column], column] = one.minutes, one.values
        said, done = list[JudgedPoint](), 0
        for until in np.unique(counts[counts > 0]):
            rows, here = slice(done, until), np.flatnonzero(counts > done)
            columns = np.array([place[series[int(at)].key] for at in here], np.int64)
            part = group.detector.of(columns)
            judged = detect(part, values[rows, here], _local(minutes[rows, here], self.zone))
            group.detector.put(columns, part)
            said += _points([series[int(at)].key for at in here], minutes[rows, here], values[rows, here], judged)
            done = int(until)
        return said


def _points(keys: Sequence[str], minutes: Ints, values: Floats, judged: Judged) -> list[JudgedPoint]:
    """What is worth telling of: alarms, and points out of their ranges."""
    with np.errstate(invalid="ignore"):
        worth = judged.anomalous | (values < judged.lower) | (values > judged.upper)
    return [
        JudgedPoint(
            key=keys[column],
            minute=int(minutes[row, column]),
            value=float(values[row, column]),
            score=float(judged.score[row, column]),
            expected=float(judged.expected[row, column]),
            lower=float(judged.lower[row, column]),
            upper=float(judged.upper[row, column]),
        )
        for row, column in zip(*np.nonzero(worth), strict=True)
    ]


def _local(minutes: Ints, zone: str) -> Ints:
    """Seconds of the local clock since 1970."""
    times = pd.DatetimeIndex((minutes.ravel() * _MINUTE_S).view("datetime64[s]"), tz="UTC")
    local = times.tz_convert(ZoneInfo(zone)).tz_localize(None).as_unit("s")
    return np.asarray(local.asi8.reshape(minutes.shape))


def _packed(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Arrays as text that is read back to the last bit."""
    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **dict(arrays))
    return base64.b64encode(held.getvalue()).decode()


def _unpacked(text: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}
