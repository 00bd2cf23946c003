"""Every metric that tpscope exposes about itself under `/metrics`: name, type, unit, and what to do when it moves.

The one place for their names: rooms import the objects below, `METRIC_DOCS` lists them for the documentation and its test.
They live in prometheus_client's default registry, one per process; nothing here opens a connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

METRIC_DOCS: list["MetricDoc"] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDoc:
    """One exposed metric, for people.

    Attributes
    ----------
    when_it_moves : str
        What an operator should think of, and do, when it changes.
    """

    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    meaning: str
    when_it_moves: str


def counter(name: str, *, unit: str, labels: Sequence[str] = (), meaning: str, when_it_moves: str) -> Counter:
    """A counter; `name` ends in `_total`."""
    _document(name, "counter", unit, labels, meaning, when_it_moves)
    return Counter(name, meaning, labels)


def gauge(name: str, *, unit: str, labels: Sequence[str] = (), meaning: str, when_it_moves: str) -> Gauge:
    """A gauge."""
    _document(name, "gauge", unit, labels, meaning, when_it_moves)
    return Gauge(name, meaning, labels)


def histogram(
    name: str, *, unit: str, labels: Sequence[str] = (), meaning: str, when_it_moves: str, buckets: Sequence[float]
) -> Histogram:
    """A histogram with upper bounds `buckets`, in `unit`."""
    _document(name, "histogram", unit, labels, meaning, when_it_moves)
    return Histogram(name, meaning, labels, buckets=tuple(buckets))


def _document(name: str, kind: str, unit: str, labels: Sequence[str], meaning: str, when_it_moves: str) -> None:
    METRIC_DOCS.append(
        MetricDoc(name=name, type=kind, unit=unit, labels=tuple(labels), meaning=meaning, when_it_moves=when_it_moves)
    )


# --- ingest ---------------------------------------------------------------------------------------------------------------

INGEST_RECORDS = counter(
    "tpscope_ingest_records_total",
    unit="records",
    labels=("topic",),
    meaning="Records written to the table of calls.",
    when_it_moves="It stands still while the gateways have traffic: look at the lag, then at the write failures.",
)
INGEST_REJECTED = counter(
    "tpscope_ingest_rejected_total",
    unit="records",
    labels=("topic", "reason"),
    meaning="Records that could not be read and went to the dead letters.",
    when_it_moves="A gateway changed its log format, or the mapping does not fit: look at the dead letters of that reason.",
)
INGEST_LOST = counter(
    "tpscope_ingest_lost_total",
    unit="records",
    labels=("topic",),
    meaning="Records that Kafka's retention removed before they were read.",
    when_it_moves="Calls are missing for good: raise the topic's retention, add consumers, find out why ingest fell behind.",
)
INGEST_REPEATED = counter(
    "tpscope_ingest_repeated_total",
    unit="records",
    meaning="Records that came again although the store has them, and were left out.",
    when_it_moves="The group's offsets were reset or have expired; nothing is counted twice and nothing needs doing.",
)
INGEST_BATCHES = counter(
    "tpscope_ingest_batches_total",
    unit="batches",
    meaning="Batches written and committed.",
    when_it_moves="Many more than one a second and process: raise kafka.batch_records or kafka.batch_age.",
)
INGEST_BATCH_RECORDS = histogram(
    "tpscope_ingest_batch_records",
    unit="records",
    meaning="Records of a batch, valid or not.",
    when_it_moves="All at kafka.batch_records: ingest is at its limit; start another process of the role ingest.",
    buckets=(1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000),
)
INGEST_WRITE_SECONDS = histogram(
    "tpscope_ingest_write_seconds",
    unit="seconds",
    meaning="Time to decode a batch and write it, without waiting after failures.",
    when_it_moves="Rising with the same batch sizes: the store is slow (merges, disk, memory).",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
INGEST_WRITE_FAILURES = counter(
    "tpscope_ingest_write_failures_total",
    unit="attempts",
    labels=("kind",),
    meaning="Attempts to write a batch that failed and are repeated; `kind` is `unavailable` or `refused`.",
    when_it_moves="`unavailable`: the store is down. `refused`: it rejects the batch, see the log; nothing is lost meanwhile.",
)
INGEST_LAG = gauge(
    "tpscope_ingest_lag_records",
    unit="records",
    labels=("topic", "partition"),
    meaning="Records of a partition that are in Kafka and not yet written.",
    when_it_moves="Growing for minutes: more arrives than is written; add ingest processes (at most one per partition).",
)
INGEST_DELAY = gauge(
    "tpscope_ingest_delay_seconds",
    unit="seconds",
    labels=("topic", "partition"),
    meaning="Arrival minus event time of the last batch, its 95th percentile.",
    when_it_moves="Above detection.max_delay, minutes are judged before all of their calls are in.",
)
INGEST_REVOKED_RECORDS = counter(
    "tpscope_ingest_revoked_records_total",
    unit="records",
    meaning="Records dropped unwritten because their partition went to another process of the group, which reads them again.",
    when_it_moves="Steadily: the group keeps rebalancing; a member is too slow or keeps restarting.",
)

INGEST_OTHER_VALUES = counter(
    "tpscope_ingest_other_values_total",
    unit="values",
    labels=("column",),
    meaning="Values written as `__other__`, because their column already has as many different ones as `cardinality` allows.",
    when_it_moves="A column holds raw values (paths, ids): map it otherwise, or raise its limit.",
)
INGEST_KNOWN_VALUES = gauge(
    "tpscope_ingest_known_values",
    unit="values",
    labels=("column",),
    meaning="Different values of a column that this process has let through; their limit is in `cardinality`.",
    when_it_moves="Climbing towards the limit without end: raw values instead of names; at the limit the rest is `__other__`.",
)

# --- web ------------------------------------------------------------------------------------------------------------------

WEB_REQUESTS = counter(
    "tpscope_web_requests_total",
    unit="requests",
    labels=("kind", "status"),
    meaning="Requests answered by the web server; `status` is `2xx` to `5xx`, `0xx` where the client left before an answer.",
    when_it_moves="Many `5xx`: the store is slow or away, see the log. Many `4xx`: a client asks wrongly, or a foreign host.",
)
WEB_SECONDS = histogram(
    "tpscope_web_request_seconds",
    unit="seconds",
    labels=("kind",),
    meaning="Time to answer a request, from its head to the end of the answer.",
    when_it_moves="Rising for `page_data` and `api`: the store is slow, or windows grew; look at the query times.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

# --- alerts ---------------------------------------------------------------------------------------------------------------

ALERTS_SECONDS = histogram(
    "tpscope_alerts_evaluation_seconds",
    unit="seconds",
    meaning="Time to evaluate all rules once and to write what follows.",
    when_it_moves="Above 10: rules by many values or over long windows; a breach is then told late.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ALERTS_FIRING = gauge(
    "tpscope_alerts_firing_incidents",
    unit="incidents",
    labels=("told",),
    meaning="Incidents that fire; `told` is `no` for those joined to another one or without a receiver.",
    when_it_moves="Many at once have one cause more often than not: begin with the oldest on the incidents page.",
)
REVIEWS_MADE = counter(
    "tpscope_reviews_made_total",
    unit="reviews",
    labels=("kind",),
    meaning="Weekly and monthly reviews that were made on schedule and archived (`week`, `month`).",
    when_it_moves="Stands still over a week: `tpscope status` says whether the job `reviews` fails, or what it waits for.",
)
ALERTS_MESSAGES = counter(
    "tpscope_alerts_deliveries_total",
    unit="attempts",
    labels=("receiver", "outcome"),
    meaning="Attempts to deliver a message: `sent`, `retried` (failed and tried again) or `failed` (given up).",
    when_it_moves="`failed`: somebody was not told; the incident's page says why. `retried`: the receiver is slow or down.",
)
