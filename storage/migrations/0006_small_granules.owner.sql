-- Rollups in granules of 128 rows, where tpscope owns the store's directory and its memory.
--
-- A merge holds a granule of each of its parts, and a row's four quantile states take kilobytes in memory: with the usual 8,192
-- rows a merge of `tenant_1m` takes 0.4 to 0.6 GiB for some seconds. 128 rows are still 30 to 60 kB of a part to read at once.
--
-- A table's granules are given when it is made, so each rollup is made anew, takes over the parts as they are (they are linked,
-- not copied; merges rewrite them by and by), and takes the name. Whatever is broken off in between, the table of the name is
-- whole, and all can be done again. None has a TTL yet, since the configuration may keep rows for longer than a default would: the
-- retention is set right after the migrations. None knows the token of an earlier insert: stop an earlier version cleanly first.

CREATE TABLE IF NOT EXISTS route_1m_anew AS route_1m
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (gateway, service, route, minute, origin)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864,
    index_granularity = 128, merge_max_block_size = 128;

TRUNCATE TABLE route_1m_anew;

ALTER TABLE route_1m_anew ATTACH PARTITION ALL FROM route_1m;

EXCHANGE TABLES route_1m AND route_1m_anew;

DROP TABLE route_1m_anew SYNC;

CREATE TABLE IF NOT EXISTS model_1m_anew AS model_1m
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (provider, account, model, service, minute, origin)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864,
    index_granularity = 128, merge_max_block_size = 128;

TRUNCATE TABLE model_1m_anew;

ALTER TABLE model_1m_anew ATTACH PARTITION ALL FROM model_1m;

EXCHANGE TABLES model_1m AND model_1m_anew;

DROP TABLE model_1m_anew SYNC;

CREATE TABLE IF NOT EXISTS tenant_1m_anew AS tenant_1m
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, service, minute, origin)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864,
    index_granularity = 128, merge_max_block_size = 128;

TRUNCATE TABLE tenant_1m_anew;

ALTER TABLE tenant_1m_anew ATTACH PARTITION ALL FROM tenant_1m;

EXCHANGE TABLES tenant_1m AND tenant_1m_anew;

DROP TABLE tenant_1m_anew SYNC;

CREATE TABLE IF NOT EXISTS calls_1s_anew AS calls_1s
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(second)
ORDER BY (second, gateway, service, route, origin)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864,
    index_granularity = 128, merge_max_block_size = 128;

TRUNCATE TABLE calls_1s_anew;

ALTER TABLE calls_1s_anew ATTACH PARTITION ALL FROM calls_1s;

EXCHANGE TABLES calls_1s AND calls_1s_anew;

DROP TABLE calls_1s_anew SYNC;
