"""A frozen baseline: a window under a name, with its calls in blocks and its expected range by hour of the week."""

from datetime import datetime, timedelta

from analytics.baseline import Baselines, to_frame
from analytics.features import BASELINE_METRICS, to_panel
from analytics.fit import fit_baselines
from analytics.summary import summarise
from core.calendars import load_calendars
from core.clock import floor_to
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector
from core.transactions import Transaction
from core.types import BaselineVersion
from core.windows import LEAST_WINDOW, CallWindow
from storage.baselines import write_baselines
from storage.contract import Store
from storage.frozen import named, read_window, window_is_kept, write_frozen
from storage.series import read_panel

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_EPOCH = 0
"""A frozen version is written once, by no job."""


def count_window(
    store: Store, start: datetime, end: datetime, selector: Selector, transaction: Transaction | None
) -> CallWindow:
    """The calls of whole minutes of a window. Raises ConfigError for one that is too short, or not all kept any more."""
    start, end = floor_to(start, _MINUTE), floor_to(end, _MINUTE)
    if end - start < LEAST_WINDOW:
        least = LEAST_WINDOW // _MINUTE
        raise ConfigError("--window", f"must be at least {least} minutes long, not {(end - start) // _MINUTE}")
    if not window_is_kept(store, start, end):
        words = f"single calls from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC are not all kept any more"
        raise ConfigError("--window", f"{words}; choose a later window, or freeze one before retention.calls is over")
    found = read_window(store, start, end, selector, transaction)
    if not found.calls.sum():
        raise ConfigError("--window", f"there is no call of {_words(found)} in it")
    return found


def freeze(store: Store, window: CallWindow, name: str, who: str, now: datetime, settings: Settings) -> CallWindow:
    """Keep a window under a name for good, and its expected range beside it where it holds a whole hour."""
    write_frozen(store, window, name, who, now)
    profile = None if window.transaction else _profile(store, window, settings)
    if profile is not None:
        version = BaselineVersion(
            version=f"{name}@{now:%Y%m%dT%H%M%S.%f}Z",
            built_at=now,
            trained_from=window.start,
            trained_to=window.end,
            series=len(profile.metrics),
        )
        write_baselines(store, to_frame(profile), version, _EPOCH, name)
    return named(window, name, who, now)


def _profile(store: Store, window: CallWindow, settings: Settings) -> Baselines | None:
    """The expected range of the selection by hour of the week, from the window's whole hours; None where it has none."""
    first = floor_to(window.start + _HOUR - _MINUTE, _HOUR)
    last = floor_to(window.end, _HOUR)
    if last <= first:
        return None
    rows = read_panel(store, first, last, 60, (), BASELINE_METRICS, selector=window.selector)
    panel = to_panel(rows, (), first, last)
    least = settings.detection.min_calls_per_minute
    fitted = fit_baselines(
        summarise(panel, least),
        settings.time_zone,
        min_history=timedelta(0),
        min_calls=least,
        calendars=load_calendars(settings),
    )
    if not fitted.selectors:
        return None
    return Baselines(
        selectors=(window.selector,),
        time_zone=fitted.time_zone,
        center=fitted.center,
        scale=fitted.scale,
        samples=fitted.samples,
        calendars=fitted.calendars,
    )


def _words(window: CallWindow) -> str:
    return f"transaction {window.transaction}" if window.transaction else window.selector.words
