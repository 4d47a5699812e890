"""From a channel's Parquet files to arrays: columns, roles, targets, splits and the encoding of features."""
