"""The demo's past: hourly rollups of weeks before the simulated calls, made from the weeks that there are."""

from datetime import datetime, timedelta

from storage.contract import Store
from storage.rollups import PERCENTILES, SUMS_OF_CALLS
from storage.sequence import next_seq

_NOISE = 0.03
"""Relative standard deviation of an hour around its copy: copies would otherwise repeat to the digit."""


def replicate_hours(store: Store, start: datetime, end: datetime, *, shift: timedelta, factor: float, epoch: int) -> None:
    """Copy the hours of [start, end) back in time by `shift`, sums and peaks scaled by `factor` with 3 % of noise.

    `shift` should be whole weeks, so that hours of the week fit. Percentiles are kept. The copies are labelled `generated`. The
    noise is a function of the hour and the selection: the same copy is the same each time.
    """
    sums = ", ".join(SUMS_OF_CALLS)
    scaled = ", ".join(_scaled(name) for name in SUMS_OF_CALLS)
    levels = ", ".join(PERCENTILES)
    store.command(
        f"""
        INSERT INTO hours (hour, scope, selector, origin, {sums}, peak_tps, {levels}, epoch, seq)
        WITH
            (cityHash64(h.hour, h.selector, {{shift_s:Int64}}) % 65521 + 1) / 65522. AS u,
            (cityHash64(h.selector, h.hour, {{shift_s:Int64}}) % 65521) / 65521. AS v,
            {{factor:Float64}} * greatest(0., 1. + {_NOISE} * sqrt(-2. * log(u)) * cos(2. * pi() * v)) AS scale
        SELECT h.hour - toIntervalSecond({{shift_s:Int64}}), h.scope, h.selector, 'generated', {scaled}, h.peak_tps * scale,
            {levels}, {{epoch:UInt64}}, {{seq:UInt64}}
        FROM hours AS h FINAL
        WHERE h.hour >= {{start:DateTime('UTC')}} AND h.hour < {{end:DateTime('UTC')}}""",
        {
            "start": start,
            "end": end,
            "shift_s": round(shift.total_seconds()),
            "factor": factor,
            "epoch": epoch,
            "seq": next_seq(),
        },
    )


def _scaled(name: str) -> str:
    return f"h.{name} * scale" if name in ("cost_usd", "latency_ms_sum") else f"toUInt64(round(h.{name} * scale))"
