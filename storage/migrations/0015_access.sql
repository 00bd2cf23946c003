-- Tokens that people and programs come in with: of several rows with one id the one with the highest `seq` holds. Only the hash of a
-- token is kept. Few rows, read as a whole every few seconds.
CREATE TABLE IF NOT EXISTS api_tokens
(
    id String,
    name String,
    hash String,
    scope LowCardinality(String),
    tenants Array(String),
    created_at DateTime64(3, 'UTC'),
    created_by String,
    expires_at Nullable(DateTime64(3, 'UTC')),
    revoked_at Nullable(DateTime64(3, 'UTC')),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Browsers that logged in with a token; a logout is a further row. Only the hash of the cookie is kept.
CREATE TABLE IF NOT EXISTS sessions
(
    hash String,
    token_id String,
    started_at DateTime64(3, 'UTC'),
    expires_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (hash, seq)
TTL toDateTime(expires_at) + INTERVAL 1 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Batches of calls that came by POST: `begun` before they are written, `done` with the answer after. ORDER BY the batch's name, which is
-- made of who sent it and the idempotency key: a repeat finds its first attempt.
CREATE TABLE IF NOT EXISTS posts
(
    topic String,
    digest String,
    state LowCardinality(String),
    arrived_at DateTime64(3, 'UTC'),
    answer String CODEC(ZSTD(1)),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (topic, seq)
TTL toDateTime(arrived_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;
