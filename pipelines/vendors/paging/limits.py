"""How far a list is followed, and how often it is read again, before the reader gives up."""

PASSES = 7
"""Readings of a list that moves, at most. Where only two identical readings in a row prove it complete, an edit during
one reading spoils both pairs that include it. An offset list has six pairs, so two edits leave some intact. A numbered
list, whose first pass counts too, has seven, so three edits leave one intact.
"""

MOST_PAGES = 100_000
"""Millions of rows in one window, more than any list has. A server whose pages never end is not followed for ever."""

MOST_EMPTY_PAGES = 1_000
"""A server that filters its pages may send some empty ones; a list of nothing but empty pages has no end."""

MOST_PAGES_WITHOUT_NEWS = 20
"""A list that moves now and then shows a page of known rows only; a server that ignores its parameters always does."""

MOST_STEPS_BACK = 20
"""A server that alternates between two totals would make the reader step back and forth for ever."""
