"""What the transforms make of the raw log, numbered."""

EDITION = 1
"""Raise it with every change that gives other values for the same raw rows, where no column changes. The next run finds
a lake of another edition and builds everything anew from the raw log; a changed column it notices by itself."""
