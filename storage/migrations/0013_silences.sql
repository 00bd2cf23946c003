-- Silences that people set: of several rows with one id, the one with the highest `seq` holds. Any process may write one, so
-- there is no fencing epoch: the clock decides, as it does between people.
CREATE TABLE IF NOT EXISTS silences
(
    id String,
    match Map(String, String),
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    created_at DateTime64(3, 'UTC'),
    created_by String,
    comment String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- What people said of an incident by a link in a message; the link's nonce is the key, so that each is used once.
CREATE TABLE IF NOT EXISTS incident_actions
(
    id String,
    incident_id String,
    action LowCardinality(String),
    receiver LowCardinality(String),
    at DateTime64(3, 'UTC'),
    until Nullable(DateTime64(3, 'UTC')),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (at, id)
SETTINGS non_replicated_deduplication_window = 10000;
