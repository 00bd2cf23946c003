"""What `tpscope workload export` does: measures the traffic of a window and writes it as a load script."""

from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from core.clock import floor_to
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector
from render.workload_script import workload_script
from storage.frozen import window_is_kept
from storage.workloads import read_workload
from tpscope.baselines import selection
from tpscope.reading import reading

_HOUR = timedelta(hours=1)
_MOST_HOURS = 24 * 14


def run_export(settings: Settings, tool: str, out: Path, span: tuple[datetime, datetime], selector: str) -> int:
    """Write the script of the whole hours of a span."""
    wanted: Selector = selection(settings, selector, "")[0]
    start, end = floor_to(span[0] + _HOUR - timedelta(microseconds=1), _HOUR), floor_to(span[1], _HOUR)
    hours = (end - start) // _HOUR
    if not 1 <= hours <= _MOST_HOURS:
        raise ConfigError("--window", f"must hold 1 to {_MOST_HOURS} whole hours (:00 to :00), not {max(hours, 0)}")
    with reading(settings) as store:
        if not window_is_kept(store, start, end):
            raise ConfigError("--window", "its single calls are not all kept any more; choose a later one")
        workload = read_workload(store, start, end, wanted)
    if workload is None:
        raise ConfigError("--window", f"there is no call of {wanted.words} in it")
    try:
        out.write_text(workload_script(workload, tool), encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(out), f"cannot be written ({error.strerror or error})") from error
    words = f"{out}: {sum(workload.hours):,} calls in {hours} hours, {len(workload.routes)} routes, for {tool}"
    Console(stderr=True, soft_wrap=True).print(words, highlight=False, markup=False)
    return 0
