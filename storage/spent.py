"""What has been spent since an instant, by dimensions: cost, or tokens, summed over the minute rollups exactly."""

from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from core.series import ALL_CALLS, Selector
from storage.by_time import choose
from storage.contract import Store, Value
from storage.frames import epoch_s, with_labels
from storage.prices import PricedSpan, add_priced
from storage.rollups import Columns, formula, needed
from storage.selection import check_dimensions, matching

Spending = Literal["cost", "tokens"]
_RATES: dict[Spending, tuple[str, float]] = {"cost": ("cost_per_h", 3600.0), "tokens": ("tokens_per_s", 1.0)}
"""The metric that is a rate of it, and the seconds of the rate's unit: one definition of both, one price table."""

_MINUTE_S = 60


def read_spent(
    store: Store, of: Spending, start: datetime, end: datetime, selector: Selector = ALL_CALLS, by: tuple[str, ...] = ()
) -> pd.DataFrame:
    """The sum over [start, end), both whole minutes, by combination of `by`.

    Returns
    -------
    DataFrame with `*by` (`str`), `calls` and `spent` (`float64`; USD with the price table in force, or tokens; NaN where no
    call reported any), sorted by `*by`; combinations without a call have no row.

    Raises ValueError for an unknown dimension.
    """
    check_dimensions(by)
    metric, unit_s = _RATES[of]
    columns, first_s, end_s = needed((metric,)), epoch_s(start), epoch_s(end)
    source = choose(store, tuple(sorted({*by, *selector.dimensions})), columns, _MINUTE_S, first_s)
    where, labels = matching(selector, "t")
    keys = "".join(f", t.{name} AS {name}" for name in by)
    sums = "".join(f", toFloat64({source.column(name)}) AS {name}" for name in columns)
    params: dict[str, Value] = {"start": start, "end": end, **labels}
    rows = store.frame(
        f"""SELECT toInt64(0) AS whole{keys}{sums}
        FROM {source.table} AS t
        WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}{where}
        GROUP BY {", ".join(("whole", *by))} ORDER BY {", ".join(("whole", *by))}""",
        params,
    )
    rows = with_labels(rows, by)
    if of == "cost":
        span = PricedSpan(
            first_s=first_s, end_s=end_s, selector=selector, by=by, column="whole",
            step=lambda seconds: "toInt64(0)", params={}, hourly=False,
        )  # fmt: skip
        rows = add_priced(store, rows, span)
    found: Columns = {name: rows[name].to_numpy("float64") for name in columns}
    width_s = max(end_s - first_s, 1)
    spent = formula(metric).value(found, width_s) * (width_s / unit_s)
    return rows[[*by, "calls"]].assign(spent=np.asarray(spent, dtype=np.float64))
