"""What the published tables must hold, in plain Python and exact arithmetic, one rule at a time."""
