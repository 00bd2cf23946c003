"""Exports by themselves: the latest forecasts as a file in a folder, each time there are newer ones."""

from datetime import datetime
from pathlib import Path

from analytics.reporting import JobReport, run_job
from core.clock import Clock
from core.config import ExportSettings
from core.errors import ConfigError
from render.export import write_whole
from render.forecast_export import encode_forecasts
from storage.contract import Store
from storage.forecasts import latest_forecasts
from tpscope.exports import forecast_items


def job_name(export: ExportSettings) -> str:
    """What the job is called in `tpscope status`."""
    return f"export {export.name}"


def run_scheduled_export(store: Store, clock: Clock, export: ExportSettings, epoch: int) -> JobReport:
    """Write the file, unless the forecasts are those of the last time; `items` counts series.

    The cursor is when the newest of them was made: its time is in the file's name, so that a repeat writes the same file.
    """

    def body(cursor: datetime | None) -> JobReport:
        name = job_name(export)
        made = [run.made_at for run in latest_forecasts(store) if export.metric in (None, run.metric)]
        if not made or max(made) == cursor:
            return JobReport(name=name, cursor=cursor, items=0, note="no newer forecast")
        items = forecast_items(store, export.metric, None)
        folder = Path(export.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"exports: {export.name}", f"{folder} cannot be made ({error.strerror})") from error
        file = folder / f"tpscope-forecasts-{export.name}-{max(made):%Y%m%dT%H%M%SZ}.{export.format}"
        write_whole(encode_forecasts(items, export.format), file)
        return JobReport(name=name, cursor=max(made), items=len(items))

    return run_job(job_name(export), store, clock, epoch, body)
