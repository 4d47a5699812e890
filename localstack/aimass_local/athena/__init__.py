"""Athena's engine: Trino's SQL over the Parquet files of Glue tables, on DuckDB. Control plane: the emulator's."""
