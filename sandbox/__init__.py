"""The four vendor APIs on loopback, over a generated world that changes with a virtual clock.

The sandbox is the demo, the `chargehouse sandbox` command and the oracle of the tests. It imports nothing from the
other packages: it checks the warehouse with code that shares no line with it.
"""
