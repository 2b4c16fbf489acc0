"""The code location of the tests' daemon: the real definitions, with a sensor that does not make a test wait."""

from pipelines.orchestration import sensors

sensors.INTERVAL_SECONDS = 1

from pipelines.code_location import defs  # noqa: E402 -- built with the interval above

__all__ = ["defs"]
