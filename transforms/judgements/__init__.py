"""Judgements of the counts in the operations tables: each takes frames and returns a verdict with its numbers.

Nothing here reads a table, a clock or Dagster.
"""
