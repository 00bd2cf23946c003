"""Which limits there are: those that were typed, for each key where they hold for each, and the ceilings that were measured."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from analytics.outlook import Limit
from core.capacity import Against, CeilingState, Estimate, Fit
from core.config import LimitSettings
from core.series import Selector
from storage.contract import Store
from storage.series import read_panel

UNITS = {
    "ceiling": "calls/s",
    "tps": "calls/s",
    "peak_tps": "calls/s",
    "calls_per_min": "calls a minute",
    "tokens_per_min": "tokens a minute",
    "usd_per_day": "USD a day",
    "usd_per_month": "USD a month",
}
_SEEN_WITHIN = timedelta(days=1)
_DAY_S = 86_400
_MOST_OF_A_LIMIT = 50


def known_limits(store: Store, typed: Sequence[LimitSettings], fits: Sequence[Fit], now: datetime) -> list[Limit]:
    """All of them, typed ones first; `now` is the end of the last whole minute."""
    measured = [
        _measured(fit)
        for fit in fits
        if fit.against is Against.CONCURRENCY and not fit.transaction and fit.ceiling.state is not CeilingState.UNIDENTIFIED
    ]
    return [*(limit for one in typed for limit in _typed(store, one, now)), *measured]


def _typed(store: Store, one: LimitSettings, now: datetime) -> Iterator[Limit]:
    """The limit as it was typed; one for each of the busiest values of the last day where it holds for each."""
    exact = Estimate(value=one.at_most, lower=one.at_most, upper=one.at_most)
    whole = Selector.of(one.selector)
    if not one.per:
        yield Limit(name=one.name, kind=one.kind, selector=whole, unit=UNITS[one.kind], value=exact)
        return
    rows = read_panel(store, now - _SEEN_WITHIN, now, _DAY_S, one.per, ("tps",), selector=whole)
    calls = rows.groupby(list(one.per))["calls"].sum().sort_values(ascending=False, kind="stable")
    for key in calls.index[:_MOST_OF_A_LIMIT]:
        values = [str(value) for value in (key if isinstance(key, tuple) else (key,))]
        selector = Selector.of({**one.selector, **dict(zip(one.per, values, strict=True))})
        words = ", ".join(value or "(none)" for value in values)
        yield Limit(name=f"{one.name}: {words}", kind=one.kind, selector=selector, unit=UNITS[one.kind], value=exact)


def _measured(fit: Fit) -> Limit:
    name = f"measured ceiling of {fit.selector.words}"
    return Limit(name=name, kind="ceiling", selector=fit.selector, unit=UNITS["ceiling"], value=fit.ceiling.peak_tps)
