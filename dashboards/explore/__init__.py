"""The explore page: any metric by any dimensions, as lines, table, week, distribution and percentile curves."""
