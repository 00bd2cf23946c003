-- Transactions: which definitions there were, and their exact counters by minute, made by a job from the single calls.

-- Every version of a definition that was ever counted, as JSON, so that a comparison across versions can say what differs.
-- Append-only; of several rows of one name the one with the highest (epoch, seq) is in force.
CREATE TABLE IF NOT EXISTS transaction_definitions
(
    name String,
    version String,
    definition String,
    at DateTime64(3, 'UTC'),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (name, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- One row a transaction, version and minute in which there was any call at all, also where none was the transaction's: a zero
-- is known then. `seen` counts all calls of the minute as they were when it was made: a minute of which the rollups know
-- another number is made again. `known` calls have a known outcome, `timed` ones are bad or have a known latency: what
-- `good_under` (good calls up to each threshold of the definition, in order) is a share of.
-- ORDER BY transaction, version, minute: a series is one contiguous run; a minute that was made again replaces the former.
CREATE TABLE IF NOT EXISTS transactions_1m
(
    transaction LowCardinality(String),
    version LowCardinality(String),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    seen UInt64 CODEC(ZSTD(1)),
    total UInt64 CODEC(ZSTD(1)),
    known UInt64 CODEC(ZSTD(1)),
    good UInt64 CODEC(ZSTD(1)),
    rate_limited UInt64 CODEC(ZSTD(1)),
    timed UInt64 CODEC(ZSTD(1)),
    good_under Array(UInt64) CODEC(ZSTD(1)),
    latency_known UInt64 CODEC(ZSTD(1)),
    latency_ms_sum Float64 CODEC(ZSTD(1)),
    latency_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32) CODEC(ZSTD(1)),
    epoch UInt64,
    seq UInt64,
    -- (epoch, seq) as one number: what an ousted process still writes must lose in merges as well.
    row_version UInt128 MATERIALIZED bitOr(bitShiftLeft(toUInt128(epoch), 64), toUInt128(seq))
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(minute)
ORDER BY (transaction, version, minute)
TTL minute + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000;
