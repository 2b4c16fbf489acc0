"""Reading a list to its end without losing a row: one reader per style of paging, `cursor`, `numbered` and `offset`.

A list may change while it is paged. Each reader detects the shifts of rows that its style allows, and steps back over
them or reads the list again. It returns only when the list is proved complete, which `list_pass` judges; otherwise it
raises ReadingError and the window does not count as read. Readers yield pages as received, repeats included: which
version of an object wins is decided later.
"""
