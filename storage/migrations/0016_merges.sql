-- A merge holds the quantile states of a granule of each of its parts in memory, about 60 MiB: of ten parts, not of a hundred, as they
-- are there after a large import.
ALTER TABLE route_1m MODIFY SETTING max_parts_to_merge_at_once = 10;
ALTER TABLE model_1m MODIFY SETTING max_parts_to_merge_at_once = 10;
ALTER TABLE tenant_1m MODIFY SETTING max_parts_to_merge_at_once = 10;
