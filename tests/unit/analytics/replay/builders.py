"""Logged calls for replays, made of a few columns."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.replay.calls import LoggedCalls, logged_calls
from core.prices import PriceTable
from core.record import RECORD_SCHEMA
from core.whatif import WhatIf

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def logged(columns: dict[str, Any], span: timedelta = HOUR, prices: PriceTable | None = None) -> LoggedCalls:
    """Calls spread evenly over `span`; columns are arrays or one value for all, missing ones are unknown."""
    size = max(len(value) for value in columns.values() if isinstance(value, list | np.ndarray))
    at = [START + span * (place / size) for place in range(size)]
    given = {"ts": at, "status": 200, **columns}
    arrays = []
    for field in RECORD_SCHEMA:
        value = given.get(field.name, _unknown(field))
        values = list(value) if isinstance(value, list | np.ndarray) else [value] * size
        arrays.append(pa.array(values, type=field.type))
    return logged_calls(pa.table(arrays, schema=RECORD_SCHEMA), START, START + span, prices)


def scenario(**changes: Any) -> WhatIf:
    return WhatIf.model_validate({"window": {"last": "1h"}, **changes})


def _unknown(field: pa.Field) -> Any:
    if field.name == "prompt_hash":
        return 0
    if pa.types.is_string(field.type):
        return ""
    return () if field.name == "attributes" else None
