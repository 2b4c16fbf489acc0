"""The floor: everything is fetched, parsed and written, and nothing more."""
