"""Making up a world: who charges when, where and how much, and how each vendor tells it."""
