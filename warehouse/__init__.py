"""What tables exist and what they mean.

Here belong the schema of every table, the lake that stores them (Delta Lake), the DuckDB publication and the
data dictionary. Nothing here knows a vendor's API, dlt or Dagster.
"""
