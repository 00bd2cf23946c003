"""What the objectives page shows: where each objective stands, its budget and how fast it burns, and its history."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from core.burning import PERIOD, burn_rate, exhausted_in
from core.config import ObjectiveSettings
from core.objective_words import measure_words
from core.rules import BurnWindow, workbook_windows
from core.series import METRICS, Selector
from core.transactions import Transaction
from dashboards import queries
from dashboards.catalogue import METRIC_WORDS
from dashboards.context import Web
from storage.objectives import read_shares
from storage.transaction_series import read_counts

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
    def words(self) -> str:
        """What is measured, for people."""
        one = self.objective
        return measure_words(one) if one.transaction else f"{METRIC_WORDS[one.metric]} of {self.selector.words}"

    @property
    def unit(self) -> str:
        return "1" if self.objective.target is not None else METRICS[self.objective.metric].unit

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
    whole, calls = web.cache.get(("standing", one.name), _KEEP_WHOLE_S, lambda: whole_of(web, one, end))
    parts = web.cache.get(("burning", one.name, end), _KEEP_S, lambda: _parts(web, one, lengths, end)) if lengths else []
    limit = limit_of(one)
    burn = dict(zip(lengths, (burn_rate(share, limit or math.nan) for share in parts), strict=True))
    left = 1.0 - burn_rate(whole, limit) if pairs and limit and not math.isnan(whole) else None
    return Standing(
        objective=one,
        value=whole,
        calls=calls,
        kept=None if math.isnan(whole) or limit is None else whole <= limit,
        attained=float(_met(_hours(web, one, end)["value"], one).mean()),
        left=left,
        burns=tuple(Burn(pair=pair, long=burn[pair.long], short=burn[pair.short]) for pair in pairs),
        exhausted=_exhausted(burn.get(_HOUR, math.nan), left),
    )


def limit_of(one: ObjectiveSettings) -> float | None:
    """What the value must not be above: the metric's bound, or the bad share that a transaction's target allows."""
    return one.at_most if one.target is None else one.allowed


def whole_of(web: Web, one: ObjectiveSettings, end: datetime) -> tuple[float, int]:
    """The value over the period up to `end` (NaN: unknown), and what was counted; of a peak the highest hour's."""
    frame = read_shares(web.store, one, _definition(web, one), [(end - PERIOD, end)])
    if not len(frame):
        return math.nan, 0
    value = _hours(web, one, end)["value"].max() if one.metric == "peak_tps" else frame["value"].iloc[0]
    return float(value), int(frame["calls"].iloc[0])


def _parts(web: Web, one: ObjectiveSettings, lengths: list[timedelta], end: datetime) -> list[float]:
    """The value over each length of time up to `end`."""
    frame = read_shares(web.store, one, _definition(web, one), [(end - length, end) for length in lengths])
    found = dict(zip(frame["span"].tolist(), frame["value"].tolist(), strict=True))
    return [float(found.get(number, math.nan)) for number in range(len(lengths))]


def _definition(web: Web, one: ObjectiveSettings) -> Transaction | None:
    return web.settings.definition(one.transaction) if one.transaction else None


def history_of(web: Web, one: ObjectiveSettings, end: datetime) -> History:
    """An objective's last period by the day, and its budget by the hour."""
    hours = _hours(web, one, end)
    local = hours["ts"].dt.tz_convert(web.zone)
    days = _met(hours["value"], one).groupby(local.dt.normalize()).mean()
    attained = pd.DataFrame({"ts": pd.DatetimeIndex(days.index).tz_convert("UTC"), "value": days.to_numpy(dtype=float)})
    return History(value=hours, attained=attained, budget=_budget(one, hours) if has_budget(one) else None)


def has_budget(one: ObjectiveSettings) -> bool:
    """Whether it allows a share of bad calls."""
    return bool(one.allowed)


def chosen(found: tuple[Standing, ...], query: Mapping[str, str]) -> Standing | None:
    """The objective that `objective` of a query names, else the first; None where there is none."""
    named = next((one for one in found if one.objective.name == query.get("objective")), None)
    return named or next(iter(found), None)


def _hours(web: Web, one: ObjectiveSettings, end: datetime) -> pd.DataFrame:
    """`ts`, `value` and `calls` of whole hours of the period; NaN where nothing is known, and of targets in minutes."""
    last = end.replace(minute=0, second=0, microsecond=0)
    if not one.transaction:
        selector = Selector.of(one.selector)
        values = queries.hourly_history(web, one.metric, selector, last - PERIOD, last)
        rate = queries.hourly_history(web, "tps", selector, last - PERIOD, last)
        return values.assign(calls=rate["value"].to_numpy(dtype=float) * 3600)
    return web.cache.get(("objective hours", one.name, last), _KEEP_S, lambda: _counted_hours(web, one, last))


def _counted_hours(web: Web, one: ObjectiveSettings, last: datetime) -> pd.DataFrame:
    definition = _definition(web, one)
    steps = pd.date_range(last - PERIOD, last, freq="1h", inclusive="left", name="ts").as_unit("ms")
    if definition is None or one.counts_minutes:
        return pd.DataFrame({"ts": steps, "value": math.nan, "calls": math.nan})
    counts = read_counts(web.store, definition, last - PERIOD, last, 3600).set_index("ts").reindex(steps)
    good, of = ("good", "known") if one.under_ms is None else (f"good_under_{one.under_ms:g}ms", "timed")
    calls = counts[of].to_numpy(dtype=float)
    share = pd.Series(calls - counts[good].to_numpy(dtype=float)) / pd.Series(calls).where(calls > 0)
    return pd.DataFrame({"ts": steps, "value": share.to_numpy(dtype=float), "calls": calls})


def _met(values: pd.Series, one: ObjectiveSettings) -> pd.Series:
    """1 where the target was met, 0 where it was not, NaN where nothing is known: so of a rate that must only be possible."""
    limit = limit_of(one)
    if limit is None:
        return pd.Series(math.nan, index=values.index)
    return (values <= limit).astype(float).where(values.notna())


def _budget(one: ObjectiveSettings, hours: pd.DataFrame) -> pd.DataFrame:
    """What was left of the budget after each hour: bad calls so far against those that the whole period's calls allow."""
    calls = hours["calls"]
    bad = (hours["value"] * calls).fillna(0.0).cumsum()
    allowed = (limit_of(one) or math.nan) * float(calls.sum())
    left = 1.0 - bad / allowed if allowed > 0 else bad * math.nan
    return pd.DataFrame({"ts": hours["ts"], "value": left.where(calls.fillna(0.0).cumsum() > 0).to_numpy(dtype=float)})


def _exhausted(burn: float, left: float | None) -> timedelta | None:
    if left is None or left <= 0 or not burn > 0:
        return None
    lasts = exhausted_in(burn, left)
    return lasts if lasts < PERIOD else None
