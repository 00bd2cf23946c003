"""The words for what is measured: metrics, selectors of calls, and series (one metric of one selection)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.record import DIMENSIONS


class Direction(StrEnum):
    """On which side of its expected range a metric is bad news."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric is called, measured in, and when it is bad.

    Attributes
    ----------
    unit : str
        As charts and exports show it; `1` for a ratio in [0, 1].
    zero_when_idle : bool
        True where a minute without a call is a true zero (rates), False where it is unknown (percentiles, ratios).
    bad : Direction
        The side on which a deviation is worth an alert by default.
    """

    name: str
    title: str
    unit: str
    zero_when_idle: bool
    bad: Direction


def _rate(name: str, title: str, unit: str, bad: Direction = Direction.BOTH) -> Metric:
    return Metric(name=name, title=title, unit=unit, zero_when_idle=True, bad=bad)


def _level(name: str, title: str, unit: str, bad: Direction = Direction.HIGH) -> Metric:
    return Metric(name=name, title=title, unit=unit, zero_when_idle=False, bad=bad)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _rate("tps", "Transactions per second", "calls/s"),
        _rate("peak_tps", "Peak transactions per second", "calls/s"),
        _rate("bytes_per_s", "Bytes per second", "B/s"),
        _level("error_rate", "Error rate", "1"),
        _level("latency_p50", "Latency P50", "ms"),
        _level("latency_p90", "Latency P90", "ms"),
        _level("latency_p95", "Latency P95", "ms"),
        _level("latency_p99", "Latency P99", "ms"),
        _level("upstream_p95", "Upstream time P95", "ms"),
        _level("gateway_overhead_p95", "Gateway overhead P95", "ms"),
        _level("ttft_p95", "Time to first token P95", "ms"),
        _rate("tokens_per_s", "Tokens per second", "tokens/s"),
        _rate("cost_per_h", "Cost per hour", "USD/h", Direction.HIGH),
        _level("cache_hit_rate", "Cache hit rate", "1", Direction.LOW),
        _level("rate_limited_rate", "Rate-limited share", "1"),
        _level("retry_rate", "Retries per call", "1"),
        _level("fallback_rate", "Fallback share", "1"),
        _level("concurrency", "Concurrency (Little's law: TPS x mean latency)", "calls in flight"),
    )
}

JUDGED_METRICS: tuple[str, ...] = (
    "tps",
    "error_rate",
    "rate_limited_rate",
    "latency_p50",
    "latency_p95",
    "tokens_per_s",
    "cost_per_h",
    "cache_hit_rate",
)
"""What detection judges every selection by."""

SAMPLE = "sample:"
"""What the metric of an anomaly of samples begins with; behind it are the samples' name and labels."""


def is_sample(metric: str) -> bool:
    """Whether a series is of samples, not of calls."""
    return metric.startswith(SAMPLE)


def sample_series(name: str, labels: Mapping[str, str]) -> str:
    """What a series of samples is called: `queue_depth`, `queue_depth{gateway="edge-1",pool="gpu"}`."""
    said = ",".join(f'{label}="{_escape(value)}"' for label, value in sorted(labels.items()))
    return f"{name}{{{said}}}" if said else name


def metric_of(name: str) -> Metric:
    """What is known of a metric; a series of samples is called as its samples are, and its unit is not known."""
    return METRICS.get(name) or _level(name, name.removeprefix(SAMPLE), "", Direction.BOTH)


TRANSACTION, VERSION = "transaction", "version"
"""What a selection that is a transaction is named by, beside the dimensions that others are made of."""
_OF_TRANSACTION = frozenset({TRANSACTION, VERSION})

_PAIR = re.compile(r'\s*([a-z_]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Selector:
    """Which calls a series is made of: dimension values that must all be equal; empty selects every call.

    A transaction is a selection of its own kind, named by `transaction` and `version`: which calls it has is in its definition,
    and another version is another selection, so that nothing of the two is ever taken for one series.

    The canonical text form is `provider="openai",service="chat"`, sorted by dimension, quotes and backslashes escaped.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, labels: Mapping[str, str] | None = None, **more: str) -> "Selector":
        """Build from labels; raises ValueError for a name that is no dimension of the call record.

        `transaction` and `version` are names as well, with nothing beside them; without a version the one in force is meant.
        """
        merged = {**(labels or {}), **more}
        if TRANSACTION in merged and merged.keys() <= _OF_TRANSACTION:
            return cls(tuple(sorted(merged.items())))
        for name in merged:
            if name not in DIMENSIONS:
                raise ValueError(f"{name!r} is no dimension of a call; choose from {', '.join(DIMENSIONS)}")
        return cls(tuple(sorted(merged.items())))

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Read the canonical text form (also without the order); raises ValueError that quotes the text."""
        labels: dict[str, str] = {}
        position = 0
        stripped = text.strip()
        while position < len(stripped):
            match = _PAIR.match(stripped, position)
            if match is None:
                raise ValueError(f'{text!r} is no selector; write for example provider="openai",service="chat"')
            labels[match.group(1)] = re.sub(r"\\(.)", r"\1", match.group(2))
            position = match.end()
        return cls.of(labels)

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.pairs)

    @property
    def transaction(self) -> str:
        """The name of the transaction that it is; empty where it is none."""
        return self.pairs[0][1] if self.pairs and self.pairs[0][0] == TRANSACTION else ""

    @property
    def version(self) -> str:
        """The version of that transaction's definition."""
        return self.pairs[1][1] if self.transaction and len(self.pairs) > 1 else ""

    @property
    def scope(self) -> str:
        """The dimensions' names joined by a comma, `global` for the empty selector."""
        return ",".join(self.dimensions) or "global"

    def __str__(self) -> str:
        return ",".join(f'{name}="{_escape(value)}"' for name, value in self.pairs)

    @property
    def words(self) -> str:
        """For people: `provider openai, service chat`, `transaction checkout (version 3f2a…)`, or `all traffic`."""
        if self.transaction:
            return f"transaction {self.transaction}" + (f" (version {self.version})" if self.version else "")
        return ", ".join(f"{name} {value or '(none)'}" for name, value in self.pairs) or "all traffic"


ALL_CALLS = Selector()


def selection_of(labels: Mapping[str, str]) -> Selector:
    """The selection that labels name among others: a transaction with its version, else dimensions of a call."""
    if labels.get(TRANSACTION) and labels.get(VERSION):
        return Selector.of({name: labels[name] for name in (TRANSACTION, VERSION)})
    return Selector.of({name: value for name, value in labels.items() if name in DIMENSIONS})


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
