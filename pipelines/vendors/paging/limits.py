"""How far a list is followed, and how often it is read again, before it is given up."""

PASSES = 7
"""Readings of a list that moves, at most. Where it takes two alike in turn to prove it whole, an edit during one spoils
the two pairs that it is part of. An offset list has six pairs, of which two edits leave some; a numbered one, whose
first pass counts along, has seven, of which three do.
"""

MOST_PAGES = 100_000
"""Millions of rows in one window: no list has as many, and a server that goes on and on is not followed for ever."""

MOST_EMPTY_PAGES = 1_000
"""A server that filters its pages may send some without a row; one that sends nothing else has no end."""

MOST_PAGES_WITHOUT_NEWS = 20
"""A list that moves shows a page of old rows alone now and then; a server that ignores what it is asked, always."""

MOST_STEPS_BACK = 20
"""Servers that answer with different totals in turn would have the reader step to and fro for ever."""
