"""Settings: one frozen tree, built and validated once at start from a YAML file and the environment.

One idea, one module: every key, with its default, unit and meaning, is to be found here, or in `core/rules.py`,
`core/alert_settings.py`, `core/objective_settings.py`, `core/price_settings.py`, `core/export_settings.py`,
`core/gate_settings.py`, `core/review_settings.py` and `core/web_settings.py` for what opens an incident, who is told, what is
wanted, what is paid, what is exported, what a candidate must keep, when reviews are made, who comes in. `load_settings` lives
in `core/load.py`; `docs/configuration.md` is made from this tree.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field, field_validator, model_validator

from core.alert_settings import HeartbeatSettings, MaintenanceSettings, RouteSettings, TimeInterval
from core.alert_settings import ReceiverSettings as ReceiverSettings
from core.alert_settings import RoutingSettings as RoutingSettings
from core.alert_settings import SmtpSettings as SmtpSettings
from core.durations import Duration
from core.export_settings import ExportSettings as ExportSettings
from core.gate_settings import ChangeSettings as ChangeSettings
from core.gate_settings import GateSettings as GateSettings
from core.objective_settings import ObjectiveSettings as ObjectiveSettings
from core.part import Part as Part
from core.price_settings import InstancePriceSettings as InstancePriceSettings
from core.price_settings import PriceSettings as PriceSettings
from core.price_settings import TokenPriceSettings as TokenPriceSettings
from core.record import DIMENSIONS, RECORD_SCHEMA
from core.review_settings import ReviewSettings as ReviewSettings
from core.rules import AbsenceRule as AbsenceRule
from core.rules import AnomalyRule as AnomalyRule
from core.rules import BudgetRule as BudgetRule
from core.rules import ChangeRule as ChangeRule
from core.rules import ForecastRule as ForecastRule
from core.rules import ObjectiveRule as ObjectiveRule
from core.rules import PipelineRule as PipelineRule
from core.rules import Rule as Rule
from core.rules import ThresholdRule as ThresholdRule
from core.rules import known_dimension, known_metric
from core.secrets import Secret
from core.series import JUDGED_METRICS, TRANSACTION, Selector
from core.transactions import DEFAULT_STATUSES, Transaction, patterns_of, status_ranges
from core.types import Severity
from core.web_settings import WebSettings as WebSettings

TimeVerdict = Literal["keep", "dead_letter"]

Conversion = Literal[
    "path", "method", "host", "first", "last", "total", "retries", "trace_id", "error_type", "http_status", "text_ms"
]
"""Named conversions of one value, where paths, units and tables of values do not suffice (`ingest/formats/conversions.py`)."""

BUILTIN_FORMATS: tuple[str, ...] = ("tpscope", "auto", "otel", "litellm", "kong", "apipark", "envoy", "nginx")
"""Formats that need no configuration."""


class StoreSettings(Part):
    url: str = Field(
        "chdb://./tpscope-data",
        description="Where calls are kept: `chdb:///path` (embedded ClickHouse), `clickhouse://user@host:9000/db`, "
        "or `clickhouses://` for TLS.",
    )
    password: Secret | None = Field(None, description="Password of the ClickHouse user: `env:NAME` or `file:/path`.")
    tls_ca: str | None = Field(None, description="File of the certificate authority that signed the server's certificate.")
    connect_timeout: Duration = Field(timedelta(seconds=5), description="Longest wait for a connection.")
    query_timeout: Duration = Field(timedelta(seconds=30), description="Longest time of one query.")
    retries: int = Field(5, ge=0, le=20, description="How often a statement is repeated after the connection broke.")
    max_memory: str = Field("4GiB", pattern=r"^\d+(MiB|GiB)$", description="Most memory the embedded engine may use.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if not url.startswith(("chdb://", "clickhouse://", "clickhouses://")):
            raise ValueError(f"{url!r} must start with chdb://, clickhouse:// or clickhouses://")
        scheme, rest = url.split("://", 1)
        if ":" in rest.rpartition("@")[0] and scheme != "chdb":
            raise ValueError("must not hold a password; put it into store.password as env:NAME or file:/path")
        return url


class SchemaRegistrySettings(Part):
    url: str = Field("", description="Address of the registry of Avro and Protobuf schemas, `https://…`; empty: there is none.")
    username: str = Field("", description="User name (or API key's name), where the registry asks for one.")
    password: Secret | None = Field(None, description="Its password (or API key's secret): `env:NAME` or `file:/path`.")
    bearer_token: Secret | None = Field(None, description="Bearer token, instead of user name and password.")
    tls_ca: str | None = Field(None, description="File of the certificate authority that signed the registry's certificate.")
    timeout: Duration = Field(timedelta(seconds=5), description="Longest wait for an answer.")
    retries: int = Field(3, ge=0, le=10, description="How often a failed request is repeated.")

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"kafka.schema_registry.url {self.url!r} must start with http:// or https://")
        if "@" in self.url:
            raise ValueError("kafka.schema_registry.url must not hold a password; put it into kafka.schema_registry.password")
        if self.username and self.bearer_token:
            raise ValueError("only one of kafka.schema_registry.username and bearer_token may be given")
        return self


class KafkaSettings(Part):
    brokers: tuple[str, ...] = Field((), description="Bootstrap servers, `host:port`; empty: no Kafka, only import and POST.")
    topic: str = Field(
        "gateway-calls",
        min_length=1,
        description="The topic that the gateways write their call logs to; several, parted by commas; or a regular expression "
        "that starts with `^`.",
    )
    client: Literal["kafka-python", "confluent"] = Field(
        "kafka-python",
        description="`confluent` is librdkafka, of the extra `confluent`: for brokers that kafka-python cannot talk to.",
    )
    group: str = Field("tpscope", min_length=1, description="Consumer group of the ingest processes.")
    control_topic: str = Field("tpscope-control", description="One-partition topic whose owner is the active jobs process.")
    format: str = Field(
        "tpscope",
        description="Format of the topic's records: `tpscope`, `auto`, another built-in one or a name under `formats`.",
    )
    schema_registry: SchemaRegistrySettings = Field(
        default_factory=SchemaRegistrySettings, description="For records in Avro or Protobuf; of the extra `schema-registry`."
    )
    batch_records: int = Field(60_000, ge=1, le=1_000_000, description="Most records written at once.")
    batch_age: Duration = Field(timedelta(seconds=1), description="Longest wait before a batch is written.")
    connect_timeout: Duration = Field(timedelta(seconds=10), description="Longest wait for the broker at start.")
    session_timeout: Duration = Field(
        timedelta(seconds=45), description="A consumer that is silent for so long loses its partitions to the others."
    )
    start: Literal["earliest", "latest"] | AwareDatetime = Field(
        "earliest",
        description="Where a new group starts to read: `earliest`, `latest`, or a time such as 2026-01-31T00:00:00Z.",
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field("PLAINTEXT", description="Security protocol.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="SASL mechanism."
    )
    username: str = Field("", description="SASL user name.")
    password: Secret | None = Field(None, description="SASL password: `env:NAME` or `file:/path`.")
    oauth_token: Secret | None = Field(
        None, description="OAUTHBEARER: the access token, `env:NAME` or `file:/path`; a file is read again at each login."
    )
    oauth_token_url: str = Field("", description="OAUTHBEARER: where access tokens are fetched (client-credentials grant).")
    oauth_client_id: str = Field("", description="OAUTHBEARER: the client that tokens are fetched for.")
    oauth_client_secret: Secret | None = Field(
        None, description="OAUTHBEARER: that client's secret, `env:NAME` or `file:/path`."
    )
    oauth_scope: str = Field("", description="OAUTHBEARER: scope that is asked for; empty: none.")
    oauth_tls_ca: str | None = Field(
        None, description="File of the certificate authority that signed the token server's certificate."
    )
    oauth_timeout: Duration = Field(timedelta(seconds=3), description="OAUTHBEARER: longest wait for a token's fetch.")
    tls_ca: str | None = Field(None, description="File of the certificate authority that signed the brokers' certificates.")
    tls_cert: str | None = Field(None, description="File (PEM) of the certificate that tpscope shows to the brokers.")
    tls_key: str | None = Field(None, description="File (PEM) of that certificate's key; not given: it is in `tls_cert`.")
    tls_key_password: Secret | None = Field(None, description="Password of that key: `env:NAME` or `file:/path`.")
    dead_letter_bytes: int = Field(16_384, ge=256, description="Bytes kept of a record that cannot be read.")
    samples_topic: str = Field("", description="Topic of samples (queue depth, instances, quotas); empty: none is read.")
    max_ahead: Duration = Field(
        timedelta(days=1), description="How far a call's time may lie after Kafka's time of its record; later is `too_new`."
    )
    too_new: TimeVerdict = Field(
        "dead_letter", description="What becomes of calls from the far future: `keep` or `dead_letter`."
    )
    max_age: Duration | None = Field(
        None,
        description="How far a call's time may lie before Kafka's time of its record; earlier is `too_old`. "
        "Not given: `retention.calls`.",
    )
    too_old: TimeVerdict = Field("dead_letter", description="What becomes of calls from the far past: `keep` or `dead_letter`.")

    @property
    def topic_pattern(self) -> str:
        """The regular expression that topics are chosen by; empty where they are named."""
        return self.topic if self.topic.startswith("^") else ""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of calls by name; none where a pattern chooses them."""
        return () if self.topic_pattern else tuple(part.strip() for part in self.topic.split(",") if part.strip())

    @property
    def read_pattern(self) -> str:
        """The regular expression of all topics that are read; empty where they are named."""
        if not self.topic_pattern or not self.samples_topic:
            return self.topic_pattern
        return f"{self.topic_pattern}|^{re.escape(self.samples_topic)}$"

    @property
    def read_topics(self) -> tuple[str, ...]:
        """All topics that are read, by name; none where a pattern chooses them."""
        wanted = (*self.topics, self.samples_topic) if self.topics else ()
        return tuple(dict.fromkeys(topic for topic in wanted if topic))

    @field_validator("topic")
    @classmethod
    def _topic_names(cls, topic: str) -> str:
        if topic.startswith("^"):
            try:
                re.compile(topic)
            except re.error as error:
                raise ValueError(f"{topic!r} is no regular expression ({error})") from error
        elif not any(part.strip() for part in topic.split(",")):
            raise ValueError("names no topic")
        return topic

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.tls_key and not self.tls_cert:
            raise ValueError("kafka.tls_key needs kafka.tls_cert beside it")
        if not self.security.startswith("SASL_"):
            return self
        if self.sasl_mechanism != "OAUTHBEARER":
            if not self.username or self.password is None:
                raise ValueError(f"kafka.sasl_mechanism {self.sasl_mechanism} needs kafka.username and kafka.password")
        elif (self.oauth_token is None) == (not self.oauth_token_url):
            raise ValueError("kafka.sasl_mechanism OAUTHBEARER needs one of kafka.oauth_token or kafka.oauth_token_url")
        elif self.oauth_token_url and (not self.oauth_client_id or self.oauth_client_secret is None):
            raise ValueError("kafka.oauth_token_url needs kafka.oauth_client_id and kafka.oauth_client_secret")
        return self

    @field_validator("oauth_token_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("is no http(s) URL")
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("must not hold a password; put it into kafka.oauth_client_secret as env:NAME or file:/path")
        return url

    @field_validator("brokers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("brokers")
    @classmethod
    def _host_and_port(cls, brokers: tuple[str, ...]) -> tuple[str, ...]:
        for broker in brokers:
            host, _, port = broker.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"{broker!r} is no host:port")
        return brokers


class FieldSource(Part):
    """One place that a column of the call record may come from, and how its value is converted."""

    path: str | None = Field(
        None, description="Dotted JSON path, `a.b.c`; list items by number, `choices.0.id`; `*` is any key or item."
    )
    paths: tuple[str, ...] = Field((), description="Several paths; the first that leads to a value counts.")
    template: str | None = Field(
        None, description="Text with paths in braces, `{service.name}.{route}`; unknown where one of them is."
    )
    unit: Literal["ms", "s", "us", "ns"] | None = Field(None, description="Unit of a duration or of a numeric time.")
    scale: float | None = Field(None, description="Factor that the number is multiplied with.")
    convert: Conversion | None = Field(
        None,
        description="A named conversion: `path` (of a URL or request line), `method` (of a request line), `host` (of a URL), "
        "`first`, `last`, `total` or `retries` of a list (`0.010, 0.020`), `trace_id` (of a traceparent), `error_type` (of an "
        "exception's name), `http_status` (what is none is unknown), `text_ms` (texts are ms, numbers ns).",
    )
    values: dict[str, str | int | bool | None] | None = Field(
        None, description="Translation of the values; a value that is not listed is kept; null makes it unknown."
    )
    present: str | int | float | bool | None = Field(
        None, description="What the value is wherever the path leads to one, whatever that is."
    )
    time_format: str | None = Field(None, description="strptime format of a time that is neither RFC 3339 nor a number.")
    since: tuple[str, ...] = Field((), description="Latencies only: the duration from the time at these paths to this time.")
    minus: str | None = Field(None, description="`ts` only: path of a duration to go back by, where the log has a call's end.")
    minus_unit: Literal["ms", "s", "us", "ns"] = Field("ms", description="Unit of `minus`.")
    only_if: str | None = Field(None, description="Path of a flag: the value counts only where this is true.")

    @field_validator("paths", "since", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, self._sources())) != 1:
            raise ValueError(self._expected())
        return self

    def _sources(self) -> tuple[bool, ...]:
        return (self.path is not None, bool(self.paths), self.template is not None)

    def _expected(self) -> str:
        return "exactly one of path, paths or template must be given"


class FieldMapping(FieldSource):
    """Where one column of the call record comes from: JSON paths or a constant, and how its unit is converted."""

    first: tuple[FieldSource, ...] = Field(
        (), description="Several sources, each with its own unit and conversion; the first with a value counts."
    )
    const: str | int | float | bool | None = Field(None, description="The same value for every record.")
    default: str | int | float | bool | None = Field(None, description="The value where no path leads to one.")

    @field_validator("first", mode="before")
    @classmethod
    def _short_sources(cls, value: object) -> object:
        return [{"path": one} if isinstance(one, str) else one for one in value] if isinstance(value, list | tuple) else value

    def _sources(self) -> tuple[bool, ...]:
        return (*super()._sources(), bool(self.first), self.const is not None)

    def _expected(self) -> str:
        return "exactly one of path, paths, first, template or const must be given"


class FormatSettings(Part):
    fields: dict[str, FieldMapping] = Field(description="Column of the call record → where it comes from; `ts` is required.")
    unmapped: Literal["attributes", "drop"] = Field(
        "drop", description="What becomes of top-level scalars that no field uses: kept in `attributes`, or dropped."
    )
    never: tuple[str, ...] = Field((), description="Top-level keys that are never kept, whatever `unmapped` says.")

    @field_validator("fields", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"path": entry} if isinstance(entry, str) else entry for name, entry in value.items()}

    @field_validator("fields")
    @classmethod
    def _known_columns(cls, fields: dict[str, FieldMapping]) -> dict[str, FieldMapping]:
        for name in fields:
            known = name.removeprefix("attributes.")
            if name not in RECORD_SCHEMA.names and known == name:
                raise ValueError(f"{name!r} is no column of the call record; choose from {', '.join(RECORD_SCHEMA.names)}")
        if "ts" not in fields:
            raise ValueError("a format must say where `ts` comes from")
        return fields


class CardinalitySettings(Part):
    """A limit for each column that is grouped by; `kind` has a closed set of values."""

    template_paths: bool = Field(
        True,
        description="Make raw paths to templates: `/users/8123` becomes `/users/{id}`; `route` is given as it is otherwise.",
    )
    gateway: int = Field(1_000, ge=1, description="Most gateways.")
    region: int = Field(500, ge=1, description="Most regions.")
    tenant: int = Field(20_000, ge=1, description="Most tenants.")
    service: int = Field(2_000, ge=1, description="Most services.")
    route: int = Field(5_000, ge=1, description="Most routes.")
    method: int = Field(50, ge=1, description="Most HTTP methods.")
    provider: int = Field(200, ge=1, description="Most providers.")
    account: int = Field(2_000, ge=1, description="Most provider accounts.")
    upstream: int = Field(2_000, ge=1, description="Most upstreams.")
    requested_model: int = Field(2_000, ge=1, description="Most models that are asked for.")
    model: int = Field(2_000, ge=1, description="Most models that answer.")
    error_type: int = Field(500, ge=1, description="Most types of errors.")

    @property
    def limits(self) -> dict[str, int]:
        """Column → most values."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in DIMENSIONS}


class RetentionSettings(Part):
    calls: Duration = Field(timedelta(days=30), description="How long single calls are kept, from their `ts`.")
    rollups: Duration = Field(timedelta(days=90), description="How long the minute rollups are kept.")
    seconds: Duration = Field(timedelta(days=7), description="How long the second rollup is kept.")
    dead_letters: Duration = Field(timedelta(days=30), description="How long records that could not be read are kept.")
    samples: Duration = Field(timedelta(days=90), description="How long samples (queue depth, instances, quotas) are kept.")
    transactions: Duration = Field(timedelta(days=400), description="How long the minute counters of transactions are kept.")
    reviews: Duration = Field(timedelta(days=1100), description="How long archived reviews are kept, from when they were made.")
    keep_imported: bool = Field(True, description="Keep imported history whatever its age.")


class MetricTrigger(Part):
    direction: Literal["high", "low", "both", "none"] | None = Field(
        None, description="The side that is bad news; `none`: the metric is not judged. Not given: the metric's own."
    )
    factor: float | None = Field(None, ge=1.0, description="Least change by a factor; not given: the metric's own.")
    amount: float | None = Field(None, ge=0.0, description="Least change in the metric's unit; not given: the metric's own.")


class DetectionSettings(Part):
    enabled: bool = Field(True, description="Judge every minute.")
    delay: Duration = Field(timedelta(seconds=5), description="How long after a minute's end it is judged at the earliest.")
    max_delay: Duration = Field(
        timedelta(seconds=60),
        description="Longest wait for late data (the watermark) before a minute is judged as it is.",
    )
    history: Duration = Field(timedelta(days=28), description="How much history baselines are built from.")
    min_history: Duration = Field(timedelta(days=2), description="A series with less history is learning and raises nothing.")
    min_calls_per_minute: float = Field(
        5.0, ge=0, description="Ratios and percentiles of minutes with fewer calls are not judged."
    )
    max_series: int = Field(2000, ge=1, description="Most selections that are judged; the busiest come first.")
    max_sample_series: int = Field(
        500, ge=1, description="Most series of samples that are judged, one for each name and set of labels; first come."
    )
    threshold_quantile: float = Field(
        0.9995, gt=0.5, lt=1.0, description="Quantile of the forest's training scores that is the edge of normal."
    )
    confirm_minutes: int = Field(
        2, ge=1, le=30, description="Anomalous minutes of the last `confirm_within` that open an anomaly."
    )
    confirm_within: int = Field(3, ge=1, le=30, description="Minutes in which these are counted, at least as many as they.")
    instant_score: float = Field(1.5, ge=1.0, description="A single minute with this score opens an anomaly at once.")
    resolve_minutes: int = Field(
        3, ge=1, le=120, description="Normal minutes in a row that end an anomaly; longer or faint ones need up to 12."
    )
    trees: int = Field(200, ge=10, le=2000, description="Trees of the isolation forest.")
    seed: int = Field(7, description="Seed of everything random in detection.")
    rebuild_every: Duration = Field(timedelta(hours=6), description="How often baselines and the forest are built anew.")
    metrics: dict[str, MetricTrigger] = Field(
        default_factory=dict, description="From which change on, and on which side, a metric is told."
    )

    @field_validator("metrics")
    @classmethod
    def _judged(cls, metrics: dict[str, MetricTrigger]) -> dict[str, MetricTrigger]:
        for metric in metrics:
            if metric not in JUDGED_METRICS:
                raise ValueError(f"{metric!r} is not judged; choose from {', '.join(JUDGED_METRICS)}")
        return metrics


class ForecastEvent(Part):
    name: str = Field(min_length=1, description="Events of one name are alike: `New Year`, `black friday`.")
    start: AwareDatetime = Field(description="When it begins, with a time zone: 2026-12-25T00:00:00+13:00.")
    end: AwareDatetime = Field(description="When it has ended.")
    uplift: float | None = Field(
        None, gt=0, description="Expected traffic as a factor, 1.4 for 40 % more; left out: as in the past events of this name."
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end {self.end.isoformat()} of event {self.name!r} is not after its start")
        return self


class InstanceCountSettings(Part):
    """Samples that say how many instances served a selection of calls, so that it is measured what more of them bring."""

    selector: dict[str, str] = Field(default_factory=dict, description="Which calls the instances serve; empty: all.")
    sample: str = Field(min_length=1, description="Name of the samples, one value per instance group; groups are added up.")
    labels: dict[str, str] = Field(default_factory=dict, description="Only samples with these labels; empty: all of the name.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        Selector.of(self.selector)
        return self


class ForecastSettings(Part):
    enabled: bool = Field(True, description="Make forecasts.")
    horizon: Duration = Field(timedelta(days=28), description="How far ahead.")
    every: Duration = Field(timedelta(days=1), description="How often.")
    choose_every: Duration = Field(
        timedelta(days=7), description="How often each series' models are chosen anew, by a back-test on its own history."
    )
    history: Duration = Field(
        timedelta(days=560), description="How much hourly history is used at most; seasons of the year need more than one."
    )
    metrics: tuple[str, ...] = Field(
        ("tps", "peak_tps", "tokens_per_s", "cost_per_h", "latency_p95", "rate_limited_rate"),
        description="What is forecast; peaks and latencies follow from `tps` where it is among them.",
    )
    by: tuple[str, ...] = Field(("service", "provider"), description="Besides all traffic, one forecast per value of each.")
    max_series: int = Field(200, ge=1, description="Most series forecast in a run; the busiest come first.")
    events: tuple[ForecastEvent, ...] = Field(
        (), description="Holidays, campaigns and other days unlike their weekday, past and to come."
    )
    instance_counts: tuple[InstanceCountSettings, ...] = Field(
        (), description="Samples that count instances: throughput is fitted against them, beside calls in flight."
    )
    seed: int = Field(7, description="Seed of everything random in forecasting.")

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        for metric in metrics:
            known_metric(metric)
        return metrics

    @field_validator("by")
    @classmethod
    def _dimensions(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        for name in by:
            known_dimension(name)
        return by


class CalendarSettings(Part):
    """Days on which people are off: from an iCalendar file (all-day events) or the public holidays of a country."""

    file: str = Field("", description="An `.ics` file; its all-day events are days off, repeated ones too.")
    country: str = Field("", description="ISO 3166 code, `DE`: its public holidays (extra `calendars`).")
    subdivision: str = Field("", description="State or province within the country, `BY`.")
    tenants: tuple[str, ...] = Field((), description="Only for these tenants, instead of the common days off; empty: for all.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.file) == bool(self.country):
            raise ValueError("one of file or country must be given")
        if self.subdivision and not self.country:
            raise ValueError("subdivision needs country beside it")
        return self


class SuccessSettings(Part):
    """When a call of a transaction is good; a call of which that cannot be told counts as unknown, not as good."""

    statuses: tuple[str | int, ...] = Field(
        DEFAULT_STATUSES,
        description="HTTP statuses that are good: `404`, `2xx`, `200-399`. The default leaves out 429 and 5xx.",
    )
    error_types: tuple[str, ...] = Field((), description="Error types that are good nevertheless; any other makes a call bad.")
    max_latency: Duration | None = Field(None, description="A slower call is not good; none: latency does not matter.")

    @field_validator("statuses")
    @classmethod
    def _statuses(cls, statuses: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if not status_ranges(statuses):
            raise ValueError("at least one status must be good")
        return statuses


class TransactionSettings(Part):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Unique name.")
    selector: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Which calls: dimension → a value or a list of them, `*` for any characters, `?` for one; empty: all.",
    )
    success: SuccessSettings = Field(default_factory=SuccessSettings, description="Which of them are good.")
    thresholds: tuple[Duration, ...] = Field((), description="Latencies up to which good calls are counted on their own.")
    weight: float = Field(1.0, gt=0, description="What one call is worth beside those of other transactions.")
    description: str = Field("", description="What it is, for people.")

    @field_validator("selector", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: (held,) if isinstance(held, str) else held for name, held in value.items()}

    @field_validator("selector")
    @classmethod
    def _dimensions(cls, selector: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, values in selector.items():
            known_dimension(name)
            if not values:
                raise ValueError(f"{name} names no value")
        return selector

    @property
    def definition(self) -> Transaction:
        """The definition that these settings make by themselves; `Settings.definitions` has what is counted."""
        return self.counted_with(())

    def counted_with(self, more_thresholds: Iterable[timedelta]) -> Transaction:
        """The definition that these settings make, with the thresholds that objectives name besides."""
        thresholds = {one.total_seconds() * 1000 for one in (*self.thresholds, *more_thresholds)}
        limit = self.success.max_latency
        return Transaction(
            name=self.name,
            selector=patterns_of(self.selector),
            statuses=status_ranges(self.success.statuses),
            error_types=tuple(sorted(set(self.success.error_types))),
            max_latency_ms=None if limit is None else limit.total_seconds() * 1000,
            thresholds_ms=tuple(sorted(thresholds)),
            weight=self.weight,
            description=self.description,
        )


LimitOf = Literal["tps", "peak_tps", "calls_per_min", "tokens_per_min", "usd_per_day", "usd_per_month"]


class LimitSettings(Part):
    """Something that traffic must not exceed, known beforehand; ceilings that are measured need no entry."""

    name: str = Field(min_length=1, description="What people call it.")
    kind: LimitOf = Field(
        description="`tps` (mean of an hour), `peak_tps` (busiest second), `calls_per_min` and `tokens_per_min` (a provider's "
        "quota), `usd_per_day`, `usd_per_month` (budgets, by `time_zone`)."
    )
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    per: tuple[str, ...] = Field(
        (),
        description="One such limit for each value of these dimensions: `[provider, account]` where every key has its quota.",
    )
    at_most: float = Field(gt=0, description="The limit, in the unit that `kind` names.")
    description: str = Field("", description="Where the limit comes from.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        Selector.of(self.selector)
        for name in self.per:
            known_dimension(name)
            if name in self.selector:
                raise ValueError(f"limit {self.name!r}: {name} stands in both selector and per")
        return self


class RecommendationSettings(Part):
    enabled: bool = Field(True, description="Look for recommendations.")
    every: Duration = Field(timedelta(days=1), description="How often.")
    window: Duration = Field(
        timedelta(days=1), description="The latest calls that are looked at; halved while they are more than 400,000."
    )


def _default_rules() -> tuple[Rule, ...]:
    return (
        AnomalyRule(kind="anomaly", name="anomaly", severity=Severity.WARNING),
        AbsenceRule(kind="absence", name="no-traffic", severity=Severity.CRITICAL),
        ForecastRule(kind="forecast", name="limits", severity=Severity.WARNING),
        PipelineRule(kind="pipeline", name="pipeline", severity=Severity.WARNING),
        AbsenceRule(kind="absence", name="transaction-silent", by=(TRANSACTION,), severity=Severity.CRITICAL),
        ObjectiveRule(kind="objective", name="objectives"),
        ChangeRule(kind="change", name="changes", severity=Severity.WARNING),
    )


class Settings(Part):
    """The whole configuration. `Settings()` is the embedded default: everything runs with no file at all."""

    store: StoreSettings = Field(default_factory=StoreSettings, description="Where calls and results are kept.")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="Where calls come from.")
    formats: dict[str, FormatSettings] = Field(default_factory=dict, description="Your own log formats, by name.")
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="How long what is kept.")
    cardinality: CardinalitySettings = Field(
        default_factory=CardinalitySettings,
        description="Most values of each column that is grouped by; what comes beyond is counted as `__other__`.",
    )
    time_zone: str = Field("UTC", description="Time zone of the hour of the week and of the pages, an IANA name.")
    time_zones: dict[str, str] = Field(
        default_factory=dict, description="Time zone of single tenants, by name: their hours of the week go by it."
    )
    calendars: tuple[CalendarSettings, ...] = Field(
        (), description="Days off: they have baselines of their own, whatever their weekday."
    )
    transactions: tuple[TransactionSettings, ...] = Field(
        (), description="What you count: named, versioned selections of calls with a rule for success and a weight."
    )
    objectives: tuple[ObjectiveSettings, ...] = Field(
        (),
        description="Targets: of transactions, with error budgets that rules watch, and bounds on metrics, drawn on charts.",
    )
    limits: tuple[LimitSettings, ...] = Field(
        (),
        description="What traffic must not exceed: gateways' TPS, providers' quotas, budgets; the time until then is forecast.",
    )
    prices: PriceSettings = Field(
        default_factory=PriceSettings, description="What tokens and instances cost, where gateways do not report it."
    )
    detection: DetectionSettings = Field(default_factory=DetectionSettings, description="Baselines and anomalies.")
    forecast: ForecastSettings = Field(default_factory=ForecastSettings, description="Forecasts.")
    rules: tuple[Rule, ...] = Field(default_factory=_default_rules, description="What opens an incident.")
    routing: RoutingSettings = Field(default_factory=RoutingSettings, description="Which receiver is told, how often.")
    receivers: tuple[ReceiverSettings, ...] = Field((), description="Webhooks, chats, pagers and mail.")
    time_intervals: tuple[TimeInterval, ...] = Field((), description="Spans of the week, for routes.")
    silences: tuple[MaintenanceSettings, ...] = Field((), description="Recurring maintenance windows; they mute, nothing else.")
    heartbeat: HeartbeatSettings = Field(default_factory=HeartbeatSettings, description="A sign of life of tpscope itself.")
    recommendations: RecommendationSettings = Field(
        default_factory=RecommendationSettings, description="What could be better, looked for once a day."
    )
    reviews: ReviewSettings = Field(default_factory=ReviewSettings, description="Weekly and monthly performance reviews.")
    exports: tuple[ExportSettings, ...] = Field((), description="Forecasts that are exported by themselves.")
    gate: GateSettings = Field(default_factory=GateSettings, description="What a candidate must keep, in `tpscope gate`.")
    changes: ChangeSettings = Field(default_factory=ChangeSettings, description="What became better or worse after a change.")
    web: WebSettings = Field(default_factory=WebSettings, description="Pages and API.")

    @field_validator("time_zone")
    @classmethod
    def _iana(cls, name: str) -> str:
        return _known_zone(name)

    @field_validator("time_zones")
    @classmethod
    def _all_iana(cls, zones: dict[str, str]) -> dict[str, str]:
        return {tenant: _known_zone(name) for tenant, name in zones.items()}

    @model_validator(mode="after")
    def _names(self) -> Self:
        _unique("rules", [rule.name for rule in self.rules])
        _unique("receivers", [receiver.name for receiver in self.receivers])
        _unique("exports", [export.name for export in self.exports])
        _unique("objectives", [objective.name for objective in self.objectives])
        _unique("transactions", [transaction.name for transaction in self.transactions])
        _unique("limits", [limit.name for limit in self.limits])
        _unique("time_intervals", [interval.name for interval in self.time_intervals])
        _unique("silences", [silence.name for silence in self.silences])
        _check_readers(self.reviews, self.receivers)
        known_transactions = {one.name for one in self.transactions}
        for objective in self.objectives:
            _check_transaction("objective", objective.name, objective.transaction, known_transactions)
        for rule in self.rules:
            if not isinstance(rule, ForecastRule | BudgetRule | PipelineRule | ChangeRule):
                _check_transaction("rule", rule.name, rule.transaction, known_transactions)
            if isinstance(rule, ObjectiveRule) and rule.objective:
                _check_objective(rule, self.objectives)
            if isinstance(rule, ForecastRule):
                _check_limits(rule, self.limits, self.forecast)
        known = {receiver.name for receiver in self.receivers}
        routes = list(_routes(self.routing.routes))
        named = [*self.routing.receivers, *(name for part in (*self.rules, *routes) for name in part.receivers)]
        intervals = {interval.name for interval in self.time_intervals}
        for name in (name for route in routes for name in (*route.active, *route.mute)):
            if name not in intervals:
                raise ValueError(f"time interval {name!r} is named in a route but not defined under time_intervals")
        for name in named:
            if name not in known:
                raise ValueError(f"receiver {name!r} is named in rules or routing but not defined under receivers")
        if self.kafka.format not in (*BUILTIN_FORMATS, *self.formats):
            built_in = ", ".join(BUILTIN_FORMATS)
            raise ValueError(f"kafka.format {self.kafka.format!r} is neither one of {built_in} nor a name under formats")
        return self

    @property
    def definitions(self) -> tuple[Transaction, ...]:
        """The transactions as they are counted: a latency that an objective names is a threshold of its transaction."""
        named: dict[str, list[timedelta]] = {}
        for one in self.objectives:
            if one.under is not None:
                named.setdefault(one.transaction, []).append(one.under)
        return tuple(one.counted_with(named.get(one.name, ())) for one in self.transactions)

    def definition(self, name: str) -> Transaction | None:
        """The transaction of that name as it is counted; None where there is none."""
        return next((one for one in self.definitions if one.name == name), None)


def _check_readers(reviews: ReviewSettings, receivers: Sequence[ReceiverSettings]) -> None:
    """Reviews go to receivers that exist, and wake nobody."""
    types = {one.name: one.type for one in receivers}
    for name in reviews.receivers:
        if name not in types:
            raise ValueError(f"reviews: receiver {name!r} is not configured; known: {', '.join(types) or 'none'}")
        if types[name] == "pagerduty":
            raise ValueError(f"reviews: receiver {name!r} is a pager; a review is no reason to wake anybody")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; write for example 'Europe/Berlin'") from error
    return name


def _check_objective(rule: ObjectiveRule, objectives: tuple[ObjectiveSettings, ...]) -> None:
    found = next((one for one in objectives if one.name == rule.objective), None)
    if found is None:
        raise ValueError(f"rule {rule.name!r}: there is no objective {rule.objective!r}")
    if found.allowed is None:
        raise ValueError(f"rule {rule.name!r}: objective {rule.objective!r} is no share with an at_most above 0")
    if found.transaction and (rule.selector or rule.by):
        raise ValueError(f"rule {rule.name!r}: objective {rule.objective!r} is of a transaction, which is counted as a whole")
    if rule.transaction not in ("", found.transaction):
        raise ValueError(f"rule {rule.name!r}: objective {rule.objective!r} is not of transaction {rule.transaction!r}")


def _check_transaction(what: str, name: str, transaction: str, known: set[str]) -> None:
    if transaction and transaction not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ValueError(f"{what} {name!r}: there is no transaction {transaction!r} under transactions; there are: {there}")


def _check_limits(rule: ForecastRule, limits: tuple[LimitSettings, ...], forecast: ForecastSettings) -> None:
    known = {limit.name for limit in limits}
    for name in rule.limits:
        if name not in known:
            raise ValueError(f"rule {rule.name!r}: there is no limit {name!r} under limits")
    if "within" in rule.model_fields_set and rule.within > forecast.horizon:
        raise ValueError(f"rule {rule.name!r}: within is longer than forecast.horizon")


def _routes(routes: tuple[RouteSettings, ...]) -> Iterator[RouteSettings]:
    for route in routes:
        yield route
        yield from _routes(route.routes)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what}: the name {name!r} is used twice")
