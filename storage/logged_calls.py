"""Single calls as a replay reads them: the columns it needs, all of a window or a sample of it.

A sample keeps all calls of some keys rather than some calls of all keys, so that what repeats still repeats (spatially hashed
sampling: Waldspurger et al., Efficient MRC Construction with SHARDS, FAST 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from core.record import DIMENSIONS
from core.series import ALL_CALLS, Selector
from core.whatif import KEY_OF_ATTRIBUTE, PROMPT_HASH
from storage.contract import Store, Value
from storage.selection import matching

IDENTITY: tuple[str, ...] = ("topic", "partition", "offset")
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
_KNOWN = frozenset({*DIMENSIONS, *IDENTITY, PROMPT_HASH})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRows:
    """Calls of a window by `columns`, and attributes as `attributes.NAME`; `share` is which part of all they are."""

    table: pa.Table
    share: float


def read_logged(
    store: Store,
    start: datetime,
    end: datetime,
    columns: Sequence[str],
    selector: Selector = ALL_CALLS,
    *,
    attributes: Sequence[str] = (),
    nth: int = 1,
    key: Sequence[str] = IDENTITY,
) -> LoggedRows:
    """Calls of [start, end) in no order; with `nth` above 1 those of every nth value of `key` (columns, `attributes.NAME`)."""
    selected, labels = matching(selector, "t")
    params: dict[str, Value] = {**labels, "start": start, "end": end, "nth": nth}
    names = list(dict.fromkeys((*attributes, *(one.removeprefix(KEY_OF_ATTRIBUTE) for one in key if one not in _KNOWN))))
    params |= {f"attribute_{place}": name for place, name in enumerate(names)}
    read = {f"attributes.{name}": f"t.attributes[{{attribute_{place}:String}}]" for place, name in enumerate(names)}
    hashed = ", ".join(read.get(name, f"t.{name}") for name in key)
    listed = [f"t.{name} AS {name}" for name in columns] + [f"{sql} AS of_{at}" for at, sql in enumerate(read.values())]
    table = store.arrow(
        f"SELECT {', '.join(listed)} FROM calls AS t WHERE {_SPAN}{selected} AND cityHash64({hashed}) % {{nth:UInt64}} = 0",
        params,
    )
    return LoggedRows(table=table.rename_columns([*columns, *read]), share=1.0 / nth)
