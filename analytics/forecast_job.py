"""The daily forecast and the weekly choice behind it: reads hours, asks `predicted`, writes forecasts and choices."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pandas as pd

from analytics.choices import KIND, Choices, SeriesKey, from_model, to_model
from analytics.forecasting import HOURLY, Choice, Forecast, NothingKnown, choose
from analytics.forecasting.backtest import backtest
from analytics.predicted import NO_DAYS_OFF, Known, Wanted, hours_since_1970, occasions_of, predict
from analytics.predicting import SeriesToForecast, series_to_forecast
from core.calendars import Calendars
from core.clock import floor_to
from core.config import ForecastSettings
from core.series import METRICS
from core.transactions import Transaction
from core.types import ForecastBacktest, ForecastRun
from storage.backtests import write_backtests
from storage.contract import Store
from storage.forecasts import write_forecast
from storage.frames import at_epoch_s
from storage.hours import hours_span
from storage.models import latest_model, write_model

_HOUR = timedelta(hours=1)
_LEAST_HOURS = 24
"""One day; less says nothing about the times of a day."""
_SETTLED_HOURS = 5 * HOURLY.week
"""A series with less history is judged anew every time: each day changes what is known of it."""
BACKTEST_HORIZONS_H = (24, 7 * 24, 28 * 24)


def make_forecasts(
    store: Store,
    settings: ForecastSettings,
    now: datetime,
    epoch: int,
    calendars: Calendars = NO_DAYS_OFF,
    transactions: Sequence[Transaction] = (),
) -> tuple[int, str]:
    """Forecast and write every series; returns how many, and what is to be said of those that are left out."""
    found = series_to_forecast(store, settings, floor_to(now, _HOUR), transactions)
    able = [series for series in found if series.known_hours >= _LEAST_HOURS]
    known = Known(events=settings.events, calendars=calendars)
    choices = _choices(store, able, settings, known, now, epoch)
    wanted = [Wanted(series=series, choice=choices.by_series.get(_key(series))) for series in able]
    made = predict(wanted, settings.horizon // _HOUR, known)
    for one in wanted:
        if one.key in made:
            _write(store, one, made[one.key], choices.version if one.choice is not None else "", now, epoch)
    short = len(found) - len(able)
    return len(made), f"{short} series left out: less than a day of hourly history" if short else ""


def run_backtest(
    store: Store, settings: ForecastSettings, now: datetime, epoch: int, progress: Callable[[int, int], None] | None = None
) -> list[ForecastBacktest]:
    """Back-test every series that is forecast on its own history, by horizon; written, and returned in the series' order.

    The history ends with the last hour that is known, so that an import of long ago is judged as well.
    """
    known = hours_span(store, ())
    if known is None:
        return []
    series = series_to_forecast(store, settings, min(at_epoch_s(known[1]) + _HOUR, floor_to(now, _HOUR)))
    version, found = f"{now:%Y%m%dT%H%M%S.%f}Z", list[ForecastBacktest]()
    for number, one in enumerate(series):
        for quality in backtest(one.values, BACKTEST_HORIZONS_H, start=hours_since_1970(one.start)):
            found.append(
                ForecastBacktest(
                    version=version,
                    made_at=now,
                    metric=one.metric,
                    selector=one.selector,
                    horizon_h=quality.horizon,
                    origins=quality.origins,
                    history_from=one.start,
                    history_to=one.end,
                    mase=quality.mase,
                    wql=quality.wql,
                    wql95=quality.wql95,
                    coverage90=quality.coverage90,
                    mean4_mase=quality.mean4_mase,
                )
            )
        if progress is not None:
            progress(number + 1, len(series))
    write_backtests(store, found, epoch)
    return found


def _choices(
    store: Store, series: Sequence[SeriesToForecast], settings: ForecastSettings, known: Known, now: datetime, epoch: int
) -> Choices:
    """The choices in force: made anew when they are too old, or none of what is to be forecast is in them."""
    kept = from_model(latest_model(store, KIND))
    settled = [one for one in series if one.known_hours >= _SETTLED_HOURS]
    fresh = kept.made_at is not None and kept.made_at <= now < kept.made_at + settings.choose_every
    if not settled or (fresh and any(_key(one) in kept.by_series for one in settled)):
        return kept
    made: dict[SeriesKey, Choice] = {}
    for one in settled:
        try:
            made[_key(one)] = choose(
                one.values,
                start=hours_since_1970(one.start),
                masked=one.masked,
                occasions=occasions_of(one, known, 0),
            )
        except NothingKnown:
            continue
    model = to_model(made, now)
    write_model(store, model, epoch)
    return Choices(version=model.version, made_at=now, by_series=made)


def _write(store: Store, one: Wanted, made: Forecast, choice_version: str, now: datetime, epoch: int) -> None:
    series = one.series
    run = ForecastRun(
        version=f"{now:%Y%m%dT%H%M%S.%f}Z",
        made_at=now,
        selector=series.selector,
        metric=series.metric,
        unit=METRICS[series.metric].unit,
        model=made.model,
        step="1h",
        trained_from=series.start,
        trained_to=series.end,
        error_mase=made.error_mase,
        choice_version=choice_version,
        note=made.note,
    )
    hours = pd.date_range(series.end, periods=len(made.points), freq="h")
    write_forecast(store, run, made.points.assign(ts=hours), epoch)


def _key(series: SeriesToForecast) -> SeriesKey:
    return series.metric, series.selector
