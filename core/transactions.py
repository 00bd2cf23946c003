"""Transactions: what a user decides to count, as a versioned definition. Which calls, which of them are good, what they weigh.

The version is made of everything that decides what is counted (selector, rule for success, thresholds): the same definition has
the same version wherever and whenever it is read. The weight is applied when numbers are read, so it belongs to no version.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.errors import VersionsDiffer
from core.series import TRANSACTION, VERSION, Selector

Patterns = tuple[tuple[str, tuple[str, ...]], ...]
Ranges = tuple[tuple[int, int], ...]

DEFAULT_STATUSES: tuple[str, ...] = ("100-428", "430-499")
"""What is neither an error nor rate limiting."""

TRANSACTION_METRICS: tuple[str, ...] = (
    "tps", "error_rate", "rate_limited_rate", "concurrency", "latency_p50", "latency_p90", "latency_p95", "latency_p99",
)  # fmt: skip
"""What is told of transactions; an error is a call that is not good by the transaction's own rule."""

_WILD = ("*", "?")
_DECIDING = {
    "selector": "selector",
    "statuses": "successful statuses",
    "error_types": "successful error types",
    "max_latency_ms": "latency limit",
    "thresholds_ms": "thresholds",
}
"""Parts of a definition that decide the counts, in words."""
_VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One definition.

    Attributes
    ----------
    selector : tuple of (dimension, patterns)
        Every dimension must meet one of its patterns; `*` stands for any characters, `?` for one. Empty: all calls.
    statuses : tuple of (first, last)
        HTTP statuses that are good, inclusive ranges in order.
    error_types : tuple of str
        Error types that are good nevertheless; a call with another one is not.
    max_latency_ms : float or None
        A slower call is not good.
    thresholds_ms : tuple of float
        Good calls up to each of these are counted on their own, for objectives.
    weight : float
        What one call is worth beside those of other transactions.
    """

    name: str
    selector: Patterns = ()
    statuses: Ranges = ((100, 428), (430, 499))
    error_types: tuple[str, ...] = ()
    max_latency_ms: float | None = None
    thresholds_ms: tuple[float, ...] = ()
    weight: float = 1.0
    description: str = ""

    @property
    def selection(self) -> Selector:
        """The selection that it is among series: it has its version in its name."""
        return Selector.of({TRANSACTION: self.name, VERSION: self.version})

    @property
    def version(self) -> str:
        """Hash of what decides the counts; the order in which things were written does not matter."""
        return hashlib.sha256(self.counting().encode()).hexdigest()[:_VERSION_DIGITS]

    def counting(self) -> str:
        """What decides the counts, as canonical JSON; without what is as by default, so that a new part changes no version."""
        usual = {one.name: one.default for one in fields(self)}
        parts = {name: value for name, value in asdict(self).items() if name in _DECIDING and value != usual[name]}
        return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Transaction":
        """The inverse of `to_json`."""
        parts: dict[str, Any] = json.loads(text)
        return cls(
            name=parts["name"],
            selector=tuple((name, tuple(values)) for name, values in parts["selector"]),
            statuses=tuple((first, last) for first, last in parts["statuses"]),
            error_types=tuple(parts["error_types"]),
            max_latency_ms=parts["max_latency_ms"],
            thresholds_ms=tuple(parts["thresholds_ms"]),
            weight=parts["weight"],
            description=parts["description"],
        )


def patterns_of(selector: Mapping[str, Sequence[str]]) -> Patterns:
    """A selector in its canonical order, each pattern once."""
    return tuple((name, tuple(sorted(set(values)))) for name, values in sorted(selector.items()))


def is_wild(pattern: str) -> bool:
    return any(sign in pattern for sign in _WILD)


def status_ranges(texts: Sequence[str | int]) -> Ranges:
    """`2xx`, `404`, `200-399` as inclusive ranges, in order and merged. Raises ValueError that quotes what cannot be read."""
    ranges = sorted(_status_range(str(text).strip().lower()) for text in texts)
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _status_range(text: str) -> tuple[int, int]:
    if len(text) == 3 and text[0].isdigit() and text[1:] == "xx":
        first, last = int(text[0]) * 100, int(text[0]) * 100 + 99
    else:
        start, _, end = text.partition("-")
        if not start.isdigit() or not (end or start).isdigit():
            raise ValueError(f"{text!r} is no status; write for example 404, 2xx or 200-399")
        first, last = int(start), int(end or start)
    if not 100 <= first <= last <= 999:
        raise ValueError(f"{text!r} is no status; they go from 100 to 999, the lower first")
    return first, last


def check_comparable(one: Transaction, other: Transaction) -> None:
    """Numbers of two versions must not be compared: raises VersionsDiffer that says which parts of the definition differ."""
    if one.version == other.version:
        return
    changed = [words for name, words in _DECIDING.items() if getattr(one, name) != getattr(other, name)]
    raise VersionsDiffer(one.name, one.version, other.version, f"the definition has another {' and another '.join(changed)}")
