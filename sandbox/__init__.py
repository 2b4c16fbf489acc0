"""The four vendor APIs on loopback over a generated, living world with a virtual clock.

It is the demo, the `chargehouse sandbox` command and the oracle of the tests. It imports nothing of the other packages:
what the warehouse claims is judged here by code that shares no line with it.
"""
