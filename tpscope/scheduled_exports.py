"""Exports by themselves: the latest forecasts as a file in a folder, a bucket or at a webhook, when there are newer ones."""

import time
from datetime import datetime, timedelta

from analytics.reporting import JobReport, run_job
from core.clock import Clock
from core.config import ExportSettings
from render.forecast_export import FORECAST_CONTENT_TYPES, encode_forecasts
from storage.contract import Store
from storage.forecasts import latest_forecasts
from tpscope.exports import forecast_items
from tpscope.transfers import ExportedFile, Sleep, transfer

LOOK_EVERY = timedelta(minutes=10)
"""How often it is looked whether there is something to export: what failed is not put off by a day."""
_ON_TIME = 0.9
"""Forecasts are not made to the second: one that is younger by nearly all of `every` is exported."""


def job_name(export: ExportSettings) -> str:
    """What the job is called in `tpscope status`."""
    return f"export {export.name}"


def run_scheduled_export(
    store: Store, clock: Clock, export: ExportSettings, epoch: int, sleep: Sleep = time.sleep
) -> JobReport:
    """Make the file and bring it away, unless there are no newer forecasts; `items` counts series.

    The cursor is when the newest of them was made: its time is in the file's name, so that a repeat makes the same file.
    """

    def body(cursor: datetime | None) -> JobReport:
        name = job_name(export)
        made = [run.made_at for run in latest_forecasts(store) if export.metric in (None, run.metric)]
        if not made or (cursor is not None and max(made) - cursor < _ON_TIME * export.every):
            return JobReport(name=name, cursor=cursor, items=0, note="no newer forecast")
        items = forecast_items(store, export.metric, None)
        file = ExportedFile(
            name=f"tpscope-forecasts-{export.name}-{max(made):%Y%m%dT%H%M%SZ}.{export.format}",
            content=encode_forecasts(items, export.format),
            media_type=FORECAST_CONTENT_TYPES[export.format],
        )
        transfer(export, file, clock, sleep)
        return JobReport(name=name, cursor=max(made), items=len(items))

    return run_job(job_name(export), store, clock, epoch, body)
