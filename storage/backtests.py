"""Back-tests of forecasts: how each series would have been forecast on its own history, by horizon."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from core.record import TS_TYPE
from core.series import Selector
from core.types import ForecastBacktest
from storage.contract import Store
from storage.frames import EVENT_FIELDS, items_table, moment
from storage.sequence import next_seq

_COLUMNS = (
    "version, made_at, metric, selector, horizon_h, origins, history_from, history_to, mase, wql, wql95, coverage90, mean4_mase"
)
LATEST_BACKTESTS = f"""
SELECT {_COLUMNS} FROM forecast_backtests
ORDER BY made_at DESC, epoch DESC, seq DESC LIMIT 1 BY metric, selector, horizon_h
"""
_NUMBERS = ("mase", "wql", "wql95", "coverage90", "mean4_mase")
_SCHEMA = pa.schema(
    [
        pa.field("version", pa.string()),
        pa.field("made_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("metric", "selector")),
        *(pa.field(name, pa.uint32()) for name in ("horizon_h", "origins")),
        *(pa.field(name, TS_TYPE) for name in ("history_from", "history_to")),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
        *EVENT_FIELDS,
    ]
)


def write_backtests(store: Store, tests: Sequence[ForecastBacktest], epoch: int) -> None:
    """Keep them; a later one of the same series and horizon takes their place in `latest_backtests`."""
    if not tests:
        return
    plain = (
        "version", "made_at", "metric", "horizon_h", "origins", "history_from", "history_to", *_NUMBERS
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in tests] for name in plain}
    columns["selector"] = [str(one.selector) for one in tests]
    table = items_table(_SCHEMA, tests, **columns, epoch=[epoch] * len(tests), seq=[next_seq()] * len(tests))
    store.insert("forecast_backtests", table)


def latest_backtests(store: Store) -> list[ForecastBacktest]:
    """The newest of every series and horizon, by metric, selector and horizon."""
    found = [_backtest(row) for row in store.arrow(LATEST_BACKTESTS).to_pylist()]
    return sorted(found, key=lambda one: (one.metric, str(one.selector), one.horizon_h))


def _backtest(row: dict[str, Any]) -> ForecastBacktest:
    times = {name: moment(row[name]) for name in ("made_at", "history_from", "history_to")}
    return ForecastBacktest(**{**row, **times, "selector": Selector.parse(row["selector"])})
