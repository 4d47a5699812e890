"""From landed bytes to a dataset version: sniff, read, type, write as Parquet, profile, commit."""
