"""What the objectives page shows of transactions: how many there were, how many were good and how fast, by their version."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from core.transactions import Transaction
from dashboards import queries
from dashboards.context import Web
from dashboards.window import Window
from storage.transaction_series import read_counts
from storage.transactions import StoredDefinition, read_definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One transaction over a window, by the version that is in force.

    Attributes
    ----------
    good : float
        Share of the calls with a known verdict; NaN: none.
    within : tuple of (limit in ms, share)
        Share of the calls with a known latency or a bad verdict that were good and within each threshold.
    versions : tuple of StoredDefinition
        Every version that was counted, the one in force first.
    steps : DataFrame
        `ts`, `tps` (calls/s), `bad` (share of calls that were not good; NaN: none known).
    """

    definition: Transaction
    calls: int
    good: float
    within: tuple[tuple[float, float], ...]
    versions: tuple[StoredDefinition, ...]
    steps: pd.DataFrame


def transactions(web: Web, window: Window) -> tuple[Counted, ...]:
    """Every transaction of the configuration, in its order."""
    return tuple(web.each(lambda one: counted(web, one.definition, window), web.settings.transactions))


def counted(web: Web, definition: Transaction, window: Window) -> Counted:
    """Read what was counted of a transaction; steps are the window's, a minute at least."""
    step_s = max(window.step_s, 60)

    def ask() -> tuple[pd.DataFrame, tuple[StoredDefinition, ...]]:
        frame = read_counts(web.store, definition, window.start, window.end, step_s)
        return frame, tuple(read_definitions(web.store, definition.name))

    key = ("transaction", definition.name, definition.version, window.start, window.end, step_s)
    frame, versions = web.cache.get(key, queries.keep_s(window), ask)
    sums = frame.drop(columns="ts").sum()
    return Counted(
        definition=definition,
        calls=int(sums["total"]),
        good=_share(sums["good"], sums["known"]),
        within=tuple((limit, _share(sums[f"good_under_{limit:g}ms"], sums["timed"])) for limit in definition.thresholds_ms),
        versions=versions,
        steps=_steps(frame, window, step_s),
    )


def chosen(found: tuple[Counted, ...], query: Mapping[str, str]) -> Counted | None:
    """The transaction that `transaction` of a query names, else the first; None where there is none."""
    named = next((one for one in found if one.definition.name == query.get("transaction")), None)
    return named or next(iter(found), None)


def changes_in(one: Counted, start: datetime, end: datetime) -> list[StoredDefinition]:
    """The versions that came into force within a span, oldest first."""
    return sorted((version for version in one.versions if start <= version.at < end), key=lambda version: version.at)


def _steps(frame: pd.DataFrame, window: Window, step_s: int) -> pd.DataFrame:
    """Every step of the window; what was not counted is unknown."""
    steps = pd.date_range(window.start, window.end, freq=timedelta(seconds=step_s), inclusive="left", name="ts").as_unit("ms")
    dense = frame.set_index("ts")[["total", "known", "good"]].reindex(steps)
    known = dense["known"].where(dense["known"] > 0)
    bad = (dense["known"] - dense["good"]) / known
    return pd.DataFrame({"ts": steps, "tps": (dense["total"] / step_s).to_numpy(), "bad": bad.to_numpy(dtype=float)})


def _share(top: float, bottom: float) -> float:
    return float(top) / float(bottom) if bottom > 0 else math.nan
