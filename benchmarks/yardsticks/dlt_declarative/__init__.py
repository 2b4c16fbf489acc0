"""The usual way: dlt reads the declared APIs and merges into DuckDB; SQL builds the facts."""
