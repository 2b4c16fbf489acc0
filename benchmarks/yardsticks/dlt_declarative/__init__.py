"""The usual way: dlt reads the APIs as declared and merges into DuckDB, SQL makes the facts."""
