"""The meaning of the vendors' objects, as pure Polars functions: frames in, frames out.

Nothing here reads a file, a clock, the environment or the network, and no result depends on the order of rows or on
the time zone of the host: the same raw rows give the same tables, on every machine, on every day.
"""
