"""Where things lie below the root of everything written."""

DATABASE = "warehouse.duckdb"
LAKE_FOLDER = "lake"
STAGING_FOLDER = "staging"
RAW_FOLDER = "raw"
DLT_FOLDER = "dlt"
DAGSTER_FOLDER = "dagster"
LOCKS_FOLDER = "locks"
