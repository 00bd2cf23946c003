"""The call record: the one shape in which every gateway's log line is kept.

`CALL_SCHEMA` is the Arrow schema of a batch of calls, in the column order of the table `calls`. Unknown is NULL for numbers
and the empty string for strings: never a zero that looks like a fact.
"""

import pyarrow as pa

TS_TYPE = pa.timestamp("ms", tz="UTC")

DIMENSIONS: tuple[str, ...] = (
    "gateway",
    "region",
    "tenant",
    "service",
    "route",
    "method",
    "kind",
    "provider",
    "account",
    "upstream",
    "requested_model",
    "model",
    "error_type",
)
"""Low-cardinality string columns that calls may be selected and grouped by."""

OTHER = "__other__"
"""In a dimension: one of the values beyond the column's limit (`cardinality` in the configuration)."""

TEXTS: tuple[str, ...] = ("request_id", "trace_id")

LATENCIES: tuple[str, ...] = ("latency_ms", "upstream_ms", "first_byte_ms", "ttft_ms")

BYTES: tuple[str, ...] = ("bytes_in", "bytes_out")

TOKENS: tuple[str, ...] = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)

FLAGS: tuple[str, ...] = ("cache_hit", "stream", "fallback")

KINDS: frozenset[str] = frozenset({"api", "ai", "llm", "queue", "batch"})

RECORD_FIELDS: tuple[pa.Field, ...] = (
    pa.field("ts", TS_TYPE, nullable=False),
    *(pa.field(name, pa.string(), nullable=False) for name in TEXTS),
    *(pa.field(name, pa.string(), nullable=False) for name in DIMENSIONS),
    pa.field("status", pa.uint16()),
    *(pa.field(name, pa.float32()) for name in LATENCIES),
    *(pa.field(name, pa.uint64()) for name in BYTES),
    *(pa.field(name, pa.uint32()) for name in TOKENS),
    pa.field("cost_usd", pa.float64()),
    *(pa.field(name, pa.bool_()) for name in FLAGS),
    pa.field("retries", pa.uint8()),
    pa.field("prompt_hash", pa.uint64(), nullable=False),
    pa.field("attributes", pa.map_(pa.string(), pa.string()), nullable=False),
)
"""What a gateway says of a call."""

IDENTITY_FIELDS: tuple[pa.Field, ...] = (
    pa.field("ingested_at", TS_TYPE, nullable=False),
    pa.field("topic", pa.string(), nullable=False),
    pa.field("partition", pa.int32(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False),
)
"""Where the record came from and when it was written; (topic, partition, offset) is its identity."""

RECORD_SCHEMA = pa.schema(RECORD_FIELDS)
CALL_SCHEMA = pa.schema((*RECORD_FIELDS, *IDENTITY_FIELDS))

IMPORT_TOPIC_PREFIX = "import:"
"""`topic` of an imported row: this and the file's hash; its `offset` is the line. Exempt from retention."""

GENERATED_TOPIC_PREFIX = "generated:"
"""`topic` of simulated history that did not come through Kafka."""

POST_TOPIC_PREFIX = "post:"
"""`topic` of a row that came by `POST /api/v1/calls`: this and the idempotency key."""
