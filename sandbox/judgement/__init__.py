"""What the published tables must hold, computed in plain Python and exact arithmetic, one rule per module."""
