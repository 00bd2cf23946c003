"""Baselines: what every series is expected to be at each hour of the week, and how far its minutes usually stray.

Values belong to the middle of their hour; in between they are interpolated, so that nothing jumps when the hour turns. Slot 0
is Monday 00:00 to 01:00 in the tenant's or the configured time zone; days off have slots of their own (`core.calendars`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.borrowing import KIND_OF_WEEKDAY, KINDS
from analytics.deviation import bounds, deviation
from analytics.features import BASELINE_METRICS, Floats, Kind, Panel, align, inverse, kind_of, transform
from core.calendars import DAY_OFF, Calendar, Calendars, in_zone
from core.calendars import SLOTS as SLOTS
from core.series import Selector

_SUNDAY = 6

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """Expected values of many series; every array has shape (n_selectors, SLOTS), NaN where a series is not known.

    Attributes
    ----------
    time_zone : str
        That of everybody, where there are no `calendars`.
    center, scale : mapping of metric to ndarray
        On the metric's transformed scale; `scale` is the spread of a minute with the usual number of calls.
    samples : mapping of metric to ndarray
        Minutes that the slot was made of.
    """

    selectors: tuple[Selector, ...]
    time_zone: str
    center: Mapping[str, Floats]
    scale: Mapping[str, Floats]
    samples: Mapping[str, Floats]
    calendars: Calendars | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.center)

    @property
    def local(self) -> Calendars:
        return self.calendars or in_zone(self.time_zone)

    def at(self, times: pd.DatetimeIndex, rows: npt.NDArray[np.int64] | None = None) -> "Expected":
        """Interpolate to the given instants, for the given rows of selectors (by default all)."""
        chosen = self.selectors if rows is None else [self.selectors[row] for row in rows]
        groups = self.local.groups(chosen)
        alone = len(groups) == 1 and rows is None
        places = [_Place.of(calendar, times, members, rows, alone) for calendar, members in groups]
        shape = (len(chosen), len(times))
        center = {metric: _together(shape, places, [one.glide(held) for one in places]) for metric, held in self.center.items()}
        flat = {metric: _together(shape, places, [one.flat(held) for one in places]) for metric, held in self.center.items()}
        scale = {metric: _together(shape, places, [one.glide(held) for one in places]) for metric, held in self.scale.items()}
        new = _together(shape, places, [one.new_for(self._unheld, times) for one in places])
        calls = np.maximum(np.expm1(center["tps"]), 0.0)
        return Expected(center=center, flat=flat, scale=scale, calls=calls, new_for=new)

    @property
    def _unheld(self) -> Floats:
        """1.0 for the slots of which history has held no minute on any day of their kind."""
        minutes = np.nan_to_num(self.samples["tps"]).reshape(len(self.selectors), -1, 24)
        held = np.stack([minutes[:, kind == KIND_OF_WEEKDAY].sum(axis=1) > 0 for kind in range(KINDS)], axis=1)
        return np.where(held[:, KIND_OF_WEEKDAY], 0.0, 1.0).reshape(len(minutes), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the selections of one calendar find given instants.

    Attributes
    ----------
    members, rows : ndarray or None
        Their rows in the answer, and in the matrices of the baselines; None: all of them.
    """

    members: Ints | None
    rows: Ints | None
    before: Ints
    after: Ints
    part: Floats
    own: Ints

    def new_for(self, unheld: Floats, times: pd.DatetimeIndex) -> Floats:
        """Minutes since the day began where it is of a kind that history has not held; elsewhere -1."""
        minutes = (self.own % 24) * 60.0 + np.asarray(times.minute, dtype=float)
        return np.where(self._pick(unheld, self.own) > 0.0, minutes, -1.0)

    @classmethod
    def of(cls, calendar: Calendar, times: pd.DatetimeIndex, members: Ints, rows: Ints | None, alone: bool) -> "_Place":
        before, after, part = calendar.between(times)
        held = members if rows is None else rows[members]
        own = calendar.slots(times)
        if alone:
            return cls(members=None, rows=None, before=before, after=after, part=part, own=own)
        return cls(members=members, rows=held, before=before, after=after, part=part, own=own)

    def glide(self, matrix: Floats) -> Floats:
        """Between the middles of the hours."""
        return self._pick(matrix, self.before) * (1.0 - self.part) + self._pick(matrix, self.after) * self.part

    def flat(self, matrix: Floats) -> Floats:
        """The hour itself."""
        return self._pick(matrix, self.own)

    def _pick(self, matrix: Floats, slots: Ints) -> Floats:
        return matrix[:, slots] if self.rows is None else matrix[np.ix_(self.rows, slots)]


def _together(shape: tuple[int, int], places: Sequence[_Place], parts: Sequence[Floats]) -> Floats:
    """The parts of all calendars as one matrix."""
    if len(parts) == 1 and places[0].members is None:
        return parts[0]
    out = np.empty(shape)
    for place, part in zip(places, parts, strict=True):
        out[place.members] = part
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Baselines at given instants; arrays of shape (n_selectors, n_instants).

    Attributes
    ----------
    center, scale : mapping of metric to ndarray
        Interpolated between the hours, on the transformed scale.
    flat : mapping of metric to ndarray
        The centre of the hour itself: what holds where traffic jumps at the full hour.
    calls : ndarray
        Calls expected a minute.
    new_for : ndarray or None
        Minutes since the day began where it is of a kind that history has not held; elsewhere -1. None: nowhere.
    """

    center: Mapping[str, Floats]
    flat: Mapping[str, Floats]
    scale: Mapping[str, Floats]
    calls: Floats
    new_for: Floats | None = None

    def range(self, metric: str, row: int, instant: int) -> tuple[float, float, float]:
        """Expected value, lower and upper edge of one series at one instant, in the metric's unit."""
        center, scale = self.center[metric][[row], instant], self.scale[metric][[row], instant]
        lower, upper = bounds(metric, center, scale, self.calls[[row], instant])
        return float(inverse(metric, center)[0]), float(lower[0]), float(upper[0])


def deviations(baselines: Baselines, panel: Panel, min_calls: float) -> dict[str, Floats]:
    """Deviation of every minute by metric, shape (n_selectors of the baselines, n_minutes); NaN: not judged.

    Ratios and levels of minutes with fewer than `min_calls` calls are not judged, levels neither where fewer are expected.
    """
    aligned = align(panel, baselines.selectors)
    expected = baselines.at(panel.times())
    return deviations_from(expected, aligned, min_calls)


def deviations_from(expected: Expected, aligned: Panel, min_calls: float) -> dict[str, Floats]:
    """As `deviations`, for a panel whose rows and minutes are those of `expected`."""
    scored = {}
    for metric in expected.center:
        if metric not in aligned.values:
            continue
        kind, calls = kind_of(metric), aligned.calls
        value, scale = aligned.values[metric], expected.scale[metric]
        near = _nearest(transform(metric, value), expected.center[metric], expected.flat[metric])
        z = deviation(metric, value, calls, near, scale, expected.calls)
        if kind is not Kind.COUNT:
            z = np.where(calls >= max(min_calls, 1.0), z, np.nan)
        if kind is Kind.LEVEL:
            z = np.where(expected.calls >= min_calls, z, np.nan)
        scored[metric] = z
    return scored


def _nearest(value: Floats, one: Floats, other: Floats) -> Floats:
    """What of the two expectations and all between them lies nearest: traffic may glide from hour to hour or jump (offices)."""
    low, high = np.fmin(one, other), np.fmax(one, other)
    return np.where(np.isnan(other), np.nan, np.minimum(np.maximum(value, low), high))


def to_frame(baselines: Baselines) -> pd.DataFrame:
    """frame[metric, selector, slot, expected, lower, upper, center, scale, samples] as `storage.baselines` keeps it."""
    names = np.array([str(selector) for selector in baselines.selectors], dtype=object)
    calls = np.maximum(np.expm1(baselines.center["tps"]), 0.0)
    parts = []
    for metric in baselines.metrics:
        center, scale = baselines.center[metric], baselines.scale[metric]
        lower, upper = bounds(metric, center, scale, calls)
        known = np.flatnonzero(~np.isnan(center + scale))
        columns = {
            "metric": np.full(len(known), metric, dtype=object),
            "selector": np.repeat(names, SLOTS)[known],
            "slot": np.tile(np.arange(SLOTS), len(names))[known],
            "expected": inverse(metric, center).ravel()[known],
            "lower": lower.ravel()[known],
            "upper": upper.ravel()[known],
            "center": center.ravel()[known],
            "scale": scale.ravel()[known],
            "samples": baselines.samples[metric].ravel()[known].astype(np.int64),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def from_frame(frame: pd.DataFrame, time_zone: str, calendars: Calendars | None = None) -> Baselines:
    """The inverse of `to_frame`; `metric` and `selector` may be texts or categories, `expected` and its range are not needed.

    Where days off have no slots of their own they are as Sundays.
    """
    codes, names = pd.factorize(frame["selector"], sort=False)
    held: dict[str, dict[str, Floats]] = {"center": {}, "scale": {}, "samples": {}}
    numbers = {column: frame[column].to_numpy(dtype=float) for column in held}
    slot = frame["slot"].to_numpy(dtype=np.int64)
    for metric in dict.fromkeys([*BASELINE_METRICS, *frame["metric"].unique()]):  # one that nothing is known of has no row
        here = np.flatnonzero(frame["metric"] == metric)
        for column, matrices in held.items():
            matrix = np.full((len(names), SLOTS), np.nan)
            matrix[codes[here], slot[here]] = numbers[column][here]
            days = matrix.reshape(len(names), -1, 24)
            unseen = np.isnan(days[:, DAY_OFF]).all(axis=1)
            days[unseen, DAY_OFF] = days[unseen, _SUNDAY]
            matrices[metric] = matrix
    selectors = tuple(Selector.parse(str(name)) for name in names)
    return Baselines(selectors=selectors, time_zone=time_zone, calendars=calendars, **held)
