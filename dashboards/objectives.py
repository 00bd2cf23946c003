"""What the objectives page shows: where each objective stands, its budget and how fast it burns, and its history."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from core.burn_pairs import pairs_for
from core.burning import burn_rate
from core.clock import floor_to
from core.config import ObjectiveSettings
from core.objective_words import measure_words
from core.periods import Window as ObjectiveWindow
from core.rules import BurnWindow
from core.series import METRICS, Selector
from core.transactions import Transaction
from dashboards import queries
from dashboards.catalogue import METRIC_WORDS
from dashboards.context import Web
from storage.objectives import read_shares
from storage.standing import Standing as Found
from storage.standing import read_standing
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
    """Where an objective stands over its own window.

    Attributes
    ----------
    found : storage.standing.Standing
        As the commands and the API tell it.
    value : float
        What was found; of a peak the highest hour's, which no sum over a span tells.
    attained : float
        Share of the window's hours with calls in which the target was met; NaN: no hour is known.
    burns : tuple of Burn
        Over the pairs of windows that its rule watches; empty where there is no budget.
    """

    found: Found
    value: float
    attained: float
    burns: tuple[Burn, ...]

    @property
    def objective(self) -> ObjectiveSettings:
        return self.found.objective

    @property
    def left(self) -> float | None:
        """Share of the error budget that is left (below nought: overdrawn); None where the objective has no budget."""
        return self.found.budget.left if self.found.budget is not None else None

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
    """An objective over its window, days in the page's zone.

    Attributes
    ----------
    value : DataFrame
        `ts`, `value`: the metric by the hour, in its unit.
    attained : DataFrame
        `ts`, `value`: share of the day's hours with calls that met the target (NaN: none).
    budget : DataFrame or None
        `ts`, `value`: share of the window's budget that was left at the end of each hour.
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
    pairs = pairs_for(one)
    lengths = sorted({length for pair in pairs for length in (pair.long, pair.short)})
    found: Found = web.cache.get(
        ("standing", one.name), _KEEP_WHOLE_S, lambda: read_standing(web.store, web.settings, one, end)
    )
    parts = web.cache.get(("burning", one.name, end), _KEEP_S, lambda: _parts(web, one, lengths, end)) if lengths else []
    burn = dict(zip(lengths, (burn_rate(share, one.allowed or math.nan) for share in parts), strict=True))
    hours = _hours(web, one, found.window)["value"]
    return Standing(
        found=found,
        value=float(hours.max()) if one.metric == "peak_tps" else found.value,
        attained=float(_met(hours, one).mean()),
        burns=tuple(Burn(pair=pair, long=burn[pair.long], short=burn[pair.short]) for pair in pairs),
    )


def limit_of(one: ObjectiveSettings) -> float | None:
    """What the value must not be above: the metric's bound, or the bad share that a transaction's target allows."""
    return one.at_most if one.target is None else one.allowed


def _parts(web: Web, one: ObjectiveSettings, lengths: list[timedelta], end: datetime) -> list[float]:
    """The value over each length of time up to `end`."""
    frame = read_shares(web.store, one, _definition(web, one), [(end - length, end) for length in lengths])
    found = dict(zip(frame["span"].tolist(), frame["value"].tolist(), strict=True))
    return [float(found.get(number, math.nan)) for number in range(len(lengths))]


def _definition(web: Web, one: ObjectiveSettings) -> Transaction | None:
    return web.settings.definition(one.transaction) if one.transaction else None


def history_of(web: Web, one: ObjectiveSettings, window: ObjectiveWindow) -> History:
    """An objective's window so far by the day, and its budget by the hour."""
    hours = _hours(web, one, window)
    local = hours["ts"].dt.tz_convert(web.zone)
    days = _met(hours["value"], one).groupby(local.dt.normalize()).mean()
    attained = pd.DataFrame({"ts": pd.DatetimeIndex(days.index).tz_convert("UTC"), "value": days.to_numpy(dtype=float)})
    return History(value=hours, attained=attained, budget=_budget(one, hours, window) if one.allowed else None)


def chosen(found: tuple[Standing, ...], query: Mapping[str, str]) -> Standing | None:
    """The objective that `objective` of a query names, else the first; None where there is none."""
    named = next((one for one in found if one.objective.name == query.get("objective")), None)
    return named or next(iter(found), None)


def hours_of(window: ObjectiveWindow) -> tuple[datetime, datetime]:
    """The whole hours of a window so far."""
    return floor_to(window.start, _HOUR), floor_to(window.until, _HOUR)


def _hours(web: Web, one: ObjectiveSettings, window: ObjectiveWindow) -> pd.DataFrame:
    """`ts`, `value` and `calls` of whole hours of the window; NaN where nothing is known, and of targets in minutes."""
    first, last = hours_of(window)
    if not one.transaction:
        selector = Selector.of(one.selector)
        values = queries.hourly_history(web, one.metric, selector, first, last)
        rate = queries.hourly_history(web, "tps", selector, first, last)
        return values.assign(calls=rate["value"].to_numpy(dtype=float) * 3600)
    return web.cache.get(("objective hours", one.name, last), _KEEP_S, lambda: _counted_hours(web, one, first, last))


def _counted_hours(web: Web, one: ObjectiveSettings, first: datetime, last: datetime) -> pd.DataFrame:
    definition = _definition(web, one)
    steps = pd.date_range(first, last, freq="1h", inclusive="left", name="ts").as_unit("ms")
    if definition is None or one.counts_minutes:
        return pd.DataFrame({"ts": steps, "value": math.nan, "calls": math.nan})
    counts = read_counts(web.store, definition, first, last, 3600).set_index("ts").reindex(steps)
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


def _budget(one: ObjectiveSettings, hours: pd.DataFrame, window: ObjectiveWindow) -> pd.DataFrame:
    """What was left of the budget after each hour: bad calls so far against those that the whole window's calls allow."""
    calls = hours["calls"]
    bad = (hours["value"] * calls).fillna(0.0).cumsum()
    allowed = (limit_of(one) or math.nan) * float(calls.sum()) / window.elapsed
    left = 1.0 - bad / allowed if allowed > 0 else bad * math.nan
    return pd.DataFrame({"ts": hours["ts"], "value": left.where(calls.fillna(0.0).cumsum() > 0).to_numpy(dtype=float)})
