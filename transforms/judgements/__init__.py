"""What the counts of the operations tables mean: each judgement takes frames and gives a verdict with its numbers.

Nothing here reads a table, a clock or Dagster.
"""
