"""A window of calls counted by strata (route, method and size of the prompt) and blocks of time: what a fair comparison needs.

Calls of one stratum are alike enough to be compared; how many there are of each may differ between two windows and is made
equal by weighting (`analytics/gating`). No call itself is held, so that five million take the room of five thousand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from core.series import Selector

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCKS = 48
"""Blocks that a span is cut into."""

UNKNOWN_SIZE = -1
"""Size class of calls that have no prompt, or of which nothing is known."""

COUNTERS: tuple[str, ...] = ("calls", "known", "errors", "rate_limited", "cost_usd", "priced")


def size_class(prompt_tokens: float) -> int:
    """Prompts are alike while they are within a factor of two: 512 to 1,023 tokens are class 9."""
    return math.floor(math.log2(max(prompt_tokens, 1.0)) + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stratum:
    """Calls that are compared with one another: of one route, and of one size where they are prompts.

    Attributes
    ----------
    size, last_size : int
        First and last size class (`size_class`); -1: no size.
    """

    service: str
    method: str
    route: str
    size: int = UNKNOWN_SIZE
    last_size: int = UNKNOWN_SIZE

    @property
    def route_words(self) -> str:
        """`POST /v1/chat of chat`, or what of it is known."""
        place = " ".join(part for part in (self.method, self.route) if part)
        if place and self.service:
            return f"{place} of {self.service}"
        return place or self.service or "(no route)"

    @property
    def words(self) -> str:
        if self.size == UNKNOWN_SIZE:
            return self.route_words
        return f"{self.route_words}, prompts of {2**self.size:,} to {2 ** (self.last_size + 1) - 1:,} tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Values of calls by block and stratum, one entry per value that occurs; arrays of shape (n_entries,).

    Attributes
    ----------
    value : ndarray
        In milliseconds, within 0.2 % of the true ones.
    calls : ndarray
        How many calls of that block and stratum have it.
    """

    block: Ints
    stratum: Ints
    value: Floats
    calls: Floats

    @classmethod
    def empty(cls) -> "Histogram":
        none, nought = np.empty(0, np.int64), np.empty(0)
        return cls(block=none, stratum=none, value=nought, calls=nought)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMix:
    """One or several spans of calls; counters have shape (n_blocks, n_strata), `seconds` (n_blocks,).

    Attributes
    ----------
    name : str
        Of the frozen baseline, run or file; empty for a window that nobody has named.
    spans : tuple of (datetime, datetime)
        Rising; blocks are in their order.
    transaction, version : str
        What was counted, where it was a transaction, and by which definition; else empty.
    known, errors : ndarray
        Calls whose outcome is known, and those of them that failed (for a transaction: that were not good).
    cost_usd, priced : ndarray
        Cost of the calls of known cost, and how many they are.
    """

    name: str
    spans: tuple[tuple[datetime, datetime], ...]
    selector: Selector
    transaction: str
    version: str
    strata: tuple[Stratum, ...]
    seconds: Floats
    calls: Floats
    known: Floats
    errors: Floats
    rate_limited: Floats
    cost_usd: Floats
    priced: Floats
    latency: Histogram
    ttft: Histogram

    @property
    def words(self) -> str:
        """For people: its name, or its spans."""
        first, last = self.spans[0], self.spans[-1]
        if self.name:
            return self.name
        if len(self.spans) == 1:
            return f"{first[0]:%Y-%m-%d %H:%M} to {first[1]:%Y-%m-%d %H:%M} UTC"
        return f"the same hours of {len(self.spans)} weeks, {first[0]:%Y-%m-%d} to {last[1]:%Y-%m-%d}"

    @property
    def counts(self) -> str:
        """For people: what is counted."""
        return f"transaction {self.transaction}" if self.transaction else self.selector.words


def with_strata(mix: CallMix, strata: Sequence[Stratum], place: Ints) -> CallMix:
    """The mix over other strata: `place` (of each of its own) is where it goes among `strata`; below nought: nowhere."""
    kept = place >= 0
    counters = {}
    for name in COUNTERS:
        moved = np.zeros((len(mix.seconds), len(strata)))
        np.add.at(moved.T, place[kept], getattr(mix, name).T[kept])
        counters[name] = moved
    return replace(
        mix,
        strata=tuple(strata),
        latency=_moved(mix.latency, place),
        ttft=_moved(mix.ttft, place),
        **counters,  # type: ignore[arg-type]
    )


def together(name: str, mixes: Sequence[CallMix]) -> CallMix:
    """Several mixes of the same calls as one: the blocks of the first, then those of the second, and so on."""
    strata = tuple(sorted({stratum for mix in mixes for stratum in mix.strata}))
    index = {stratum: at for at, stratum in enumerate(strata)}
    moved = [with_strata(mix, strata, np.array([index[one] for one in mix.strata], dtype=np.int64)) for mix in mixes]
    shifts = np.cumsum([0, *(len(mix.seconds) for mix in mixes)])
    return replace(
        moved[0],
        name=name,
        spans=tuple(span for mix in mixes for span in mix.spans),
        seconds=np.concatenate([mix.seconds for mix in moved]),
        latency=_behind([mix.latency for mix in moved], shifts),
        ttft=_behind([mix.ttft for mix in moved], shifts),
        **{counter: np.vstack([getattr(mix, counter) for mix in moved]) for counter in COUNTERS},  # type: ignore[arg-type]
    )


def _moved(held: Histogram, place: Ints) -> Histogram:
    stratum = place[held.stratum] if len(place) else held.stratum
    kept = stratum >= 0
    return Histogram(block=held.block[kept], stratum=stratum[kept], value=held.value[kept], calls=held.calls[kept])


def _behind(parts: Sequence[Histogram], shifts: Ints) -> Histogram:
    return Histogram(
        block=np.concatenate([part.block + shift for part, shift in zip(parts, shifts[:-1], strict=True)]),
        stratum=np.concatenate([part.stratum for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        calls=np.concatenate([part.calls for part in parts]),
    )
