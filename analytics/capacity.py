"""The shell of capacity: prices in force, ceilings measured, limits judged; all is written for rules, pages and the API."""

from datetime import datetime, timedelta

from analytics.ceilings import measure_ceilings
from analytics.limits import judge_limits
from analytics.reporting import JobReport, run_job
from analytics.scaling import measure_scaling
from analytics.serving import serving_costs
from core.clock import Clock, floor_to
from core.config import Settings
from storage.capacity import read_fits, write_costs, write_fits, write_limits
from storage.contract import Store
from storage.prices import write_prices
from storage.series import latest_minute

_MINUTE = timedelta(minutes=1)
_REFIT_AFTER = timedelta(hours=6)


def run_capacity(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Put the configured prices in force, measure ceilings (every 6 hours) and judge all limits; `items` counts limits."""

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        write_prices(store, settings.prices.read_table(), now, epoch)
        newest = latest_minute(store)
        if newest is None:
            return JobReport(name="capacity", cursor=cursor, items=0, note="no calls yet")
        end = min(newest + _MINUTE, floor_to(now, _MINUTE))
        fits = read_fits(store)
        if not fits or now - fits[0].made_at >= _REFIT_AFTER:
            fits = [*measure_ceilings(store, settings, end, now), *measure_scaling(store, settings, end, now)]
            write_fits(store, fits, epoch)
        limits = judge_limits(store, settings, fits, end, now)
        write_limits(store, limits, epoch)
        write_costs(store, serving_costs(store, settings, end, now), epoch)
        return JobReport(name="capacity", cursor=end, items=len(limits))

    return run_job("capacity", store, clock, epoch, body)
