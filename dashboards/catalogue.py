"""What the overview page shows: its tiles and charts, in order."""

from dataclasses import dataclass

from core.series import METRICS, metric_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart of the overview.

    Attributes
    ----------
    metrics : tuple of str
        Its lines, in order; all of one unit.
    judged : str
        The metric whose expected range is shaded.
    peaks : str
        A metric whose highest seconds are drawn besides; empty: none.
    """

    id: str
    title: str
    metrics: tuple[str, ...]
    judged: str
    peaks: str = ""

    @property
    def unit(self) -> str:
        return METRICS[self.judged].unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number at the top: a metric's last complete minute against what was expected."""

    metric: str
    title: str


CHARTS: tuple[Chart, ...] = (
    Chart(id="tps", title="Transactions per second", metrics=("tps",), judged="tps", peaks="peak_tps"),
    Chart(
        id="latency",
        title="Latency",
        metrics=("latency_p50", "latency_p90", "latency_p95", "latency_p99"),
        judged="latency_p95",
    ),
    Chart(id="errors", title="Error rate", metrics=("error_rate",), judged="error_rate"),
    Chart(id="concurrency", title="Concurrency", metrics=("concurrency",), judged="concurrency"),
    Chart(id="tokens", title="Tokens per second", metrics=("tokens_per_s",), judged="tokens_per_s"),
    Chart(id="cost", title="Cost per hour", metrics=("cost_per_h",), judged="cost_per_h"),
)

TILES: tuple[Tile, ...] = (
    Tile(metric="tps", title="TPS"),
    Tile(metric="latency_p95", title="Latency P95"),
    Tile(metric="error_rate", title="Error rate"),
    Tile(metric="concurrency", title="Concurrency"),
    Tile(metric="tokens_per_s", title="Tokens per second"),
    Tile(metric="cost_per_h", title="Cost per hour"),
)

SHORT = {"latency_p50": "P50", "latency_p90": "P90", "latency_p95": "P95", "latency_p99": "P99"}
"""Names of lines that the chart's title completes."""


def line_name(metric: str) -> str:
    """What a line is called in a chart's legend: what the title does not say already."""
    return SHORT.get(metric, "observed")


METRIC_WORDS = {name: metric.title.split(" (")[0] for name, metric in METRICS.items()}
"""Titles of metrics without the remarks in brackets."""


def metric_words(name: str) -> str:
    """The same of any series, samples too."""
    return METRIC_WORDS.get(name) or metric_of(name).title
