"""What the objectives page shows: where each objective stands, its budget and how fast it burns, and its history."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from core.burning import PERIOD, burn_rate, exhausted_in
from core.config import ObjectiveSettings
from core.rules import BurnWindow, workbook_windows
from core.series import METRICS, Selector
from dashboards import queries
from dashboards.context import Web
from storage.spans import read_spans

_KEEP_S = 60.0
_KEEP_WHOLE_S = 300.0
"""A month's value moves little in five minutes, and costs more to read than all the rest."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the budget burns over a pair of windows; NaN: nothing is known.

    Attributes
    ----------
    burning : bool
        Both are above the pair's rate: what the burn rule of the workbook would tell.
    """

    pair: BurnWindow
    long: float
    short: float

    @property
    def burning(self) -> bool:
        return self.long >= self.pair.burn and self.short >= self.pair.burn


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an objective stands over `PERIOD` up to `end`.

    Attributes
    ----------
    value : float
        The metric over the whole period, in its unit; NaN: unknown.
    kept : bool or None
        None where it cannot be told: nothing is known, or a rate that should be reached was never asked for.
    attained : float
        Share of the period's hours with calls in which the target was met; NaN: no hour is known.
    left : float or None
        Share of the error budget that is left (below nought: overdrawn); None where the objective has no budget.
    burns : tuple of Burn
        Over the workbook's pairs of windows; empty where there is no budget.
    exhausted : timedelta or None
        When the rest is used up at the last hour's pace; None: it lasts for longer than the period, or is gone.
    """

    objective: ObjectiveSettings
    value: float
    calls: int
    kept: bool | None
    attained: float
    left: float | None
    burns: tuple[Burn, ...]
    exhausted: timedelta | None

    @property
    def unit(self) -> str:
        return METRICS[self.objective.metric].unit

    @property
    def selector(self) -> Selector:
        return Selector.of(self.objective.selector)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """An objective over the period, days in the page's zone.

    Attributes
    ----------
    value : DataFrame
        `ts`, `value`: the metric by the hour, in its unit.
    attained : DataFrame
        `ts`, `value`: share of the day's hours with calls that met the target (NaN: none).
    budget : DataFrame or None
        `ts`, `value`: share of the period's budget that was left at the end of each hour.
    """

    value: pd.DataFrame
    attained: pd.DataFrame
    budget: pd.DataFrame | None


def standings(web: Web) -> tuple[Standing, ...]:
    """Every objective of the configuration, in its order."""
    end = until(web)
    return tuple(web.each(lambda one: standing(web, one, end), web.settings.objectives))


def until(web: Web) -> datetime:
    """The end of what is known whole; now where nothing is."""
    return queries.freshness(web).complete_until or web.now()


def standing(web: Web, one: ObjectiveSettings, end: datetime) -> Standing:
    """Read where an objective stands."""
    pairs = workbook_windows() if has_budget(one) else ()
    lengths = sorted({length for pair in pairs for length in (pair.long, pair.short)})

    selector = Selector.of(one.selector)

    def ask_whole() -> tuple[float, int]:
        frame = read_spans(web.store, one.metric, [(end - PERIOD, end)], selector)
        return (float(frame["value"].iloc[0]), int(frame["calls"].iloc[0])) if len(frame) else (math.nan, 0)

    def ask_parts() -> list[float]:
        frame = read_spans(web.store, one.metric, [(end - length, end) for length in lengths], selector)
        found = dict(zip(frame["span"].tolist(), frame["value"].tolist(), strict=True))
        return [float(found.get(number, math.nan)) for number in range(len(lengths))]

    whole, calls = web.cache.get(("standing", one.name), _KEEP_WHOLE_S, ask_whole)
    parts = web.cache.get(("burning", one.name, end), _KEEP_S, ask_parts) if lengths else []
    burn = dict(zip(lengths, (burn_rate(share, one.at_most or math.nan) for share in parts), strict=True))
    left = 1.0 - burn_rate(whole, one.at_most) if pairs and one.at_most and not math.isnan(whole) else None
    hours = _hours(web, one, end)
    return Standing(
        objective=one,
        value=whole,
        calls=calls,
        kept=None if math.isnan(whole) or one.at_most is None else whole <= one.at_most,
        attained=float(_met(hours["value"], one).mean()),
        left=left,
        burns=tuple(Burn(pair=pair, long=burn[pair.long], short=burn[pair.short]) for pair in pairs),
        exhausted=_exhausted(burn.get(_HOUR, math.nan), left),
    )


def history_of(web: Web, one: ObjectiveSettings, end: datetime) -> History:
    """An objective's last period by the day, and its budget by the hour."""
    hours = _hours(web, one, end)
    local = hours["ts"].dt.tz_convert(web.zone)
    days = _met(hours["value"], one).groupby(local.dt.normalize()).mean()
    attained = pd.DataFrame({"ts": pd.DatetimeIndex(days.index).tz_convert("UTC"), "value": days.to_numpy(dtype=float)})
    return History(value=hours, attained=attained, budget=_budget(web, one, hours, end) if has_budget(one) else None)


def has_budget(one: ObjectiveSettings) -> bool:
    """Whether it allows a share of bad calls."""
    return METRICS[one.metric].unit == "1" and bool(one.at_most)


def chosen(found: tuple[Standing, ...], query: Mapping[str, str]) -> Standing | None:
    """The objective that `objective` of a query names, else the first; None where there is none."""
    named = next((one for one in found if one.objective.name == query.get("objective")), None)
    return named or next(iter(found), None)


def _hours(web: Web, one: ObjectiveSettings, end: datetime) -> pd.DataFrame:
    """`ts`, `value` of whole hours of the period."""
    last = end.replace(minute=0, second=0, microsecond=0)
    return queries.hourly_history(web, one.metric, Selector.of(one.selector), last - PERIOD, last)


def _met(values: pd.Series, one: ObjectiveSettings) -> pd.Series:
    """1 where the target was met, 0 where it was not, NaN where nothing is known: so of a rate that must only be possible."""
    if one.at_most is None:
        return pd.Series(math.nan, index=values.index)
    return (values <= one.at_most).astype(float).where(values.notna())


def _budget(web: Web, one: ObjectiveSettings, hours: pd.DataFrame, end: datetime) -> pd.DataFrame:
    """What was left of the budget after each hour: bad calls so far against those that the whole period's calls allow."""
    last = end.replace(minute=0, second=0, microsecond=0)
    rate = queries.hourly_history(web, "tps", Selector.of(one.selector), last - PERIOD, last)
    calls = rate["value"].to_numpy(dtype=float) * 3600
    bad = pd.Series(hours["value"].to_numpy(dtype=float) * calls).fillna(0.0).cumsum()
    allowed = (one.at_most or math.nan) * float(pd.Series(calls).sum())
    left = 1.0 - bad / allowed if allowed > 0 else bad * math.nan
    known = pd.Series(calls).fillna(0.0).cumsum() > 0
    return pd.DataFrame({"ts": hours["ts"], "value": left.where(known).to_numpy(dtype=float)})


def _exhausted(burn: float, left: float | None) -> timedelta | None:
    if left is None or left <= 0 or not burn > 0:
        return None
    lasts = exhausted_in(burn, left)
    return lasts if lasts < PERIOD else None
