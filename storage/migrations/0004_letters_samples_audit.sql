-- What was done with dead letters, resource samples beside the calls, and who deleted what.

-- A letter is told by its coordinates and its bytes: the offsets of a topic that was made anew begin at 0 again.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS payload_hash UInt64 MATERIALIZED sipHash64(payload);

-- Replays of dead letters, append-only: `planned` before the letters of a batch are written to the calls, `done` after. The first
-- plan that names a letter holds; its batch is the token of the insert, so that an interrupted one is finished, not repeated.
-- ORDER BY the letter: lists and counts ask what became of each.
CREATE TABLE IF NOT EXISTS dead_letter_replays
(
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    payload_hash UInt64,
    batch String,
    state LowCardinality(String),
    format LowCardinality(String),
    at DateTime64(3, 'UTC'),
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset, payload_hash, seq)
TTL toDateTime(at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Leading indicators that no call carries: CPU, queue depth, instance counts, what a provider says of its quota. One row a value;
-- (topic, partition, offset, name) is its identity. ORDER BY name first: a question is about one name over a time.
CREATE TABLE IF NOT EXISTS samples
(
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    name LowCardinality(String),
    labels Map(String, String) CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    ingested_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    topic LowCardinality(String),
    partition Int32 CODEC(ZSTD(1)),
    offset Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (name, ts)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Who did what to the data, append-only and kept for good: `action` is a fixed word, `subject` what it was done to.
CREATE TABLE IF NOT EXISTS audit
(
    at DateTime64(3, 'UTC'),
    actor String,
    action LowCardinality(String),
    subject String,
    detail String,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (at, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- What a deletion of a tenant's data makes anew: steps of the rollups (and hours) that its calls were counted in. Scratch rows of
-- one job, removed when it is done; those of an interrupted one tell the next which hours are still to be made.
CREATE TABLE IF NOT EXISTS deletion_keys
(
    job String,
    rollup LowCardinality(String),
    bucket DateTime('UTC'),
    k1 String,
    k2 String,
    k3 String,
    k4 String,
    origin LowCardinality(String),
    at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = MergeTree
ORDER BY (job, rollup, bucket)
TTL at + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000;
