"""The floor: fetches, parses and writes everything, and does nothing more."""
