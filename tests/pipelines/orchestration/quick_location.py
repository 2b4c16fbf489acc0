"""What the daemon of the tests loads: the definitions as they are, with a sensor that does not make a test wait."""

from pipelines.orchestration import sensors

sensors.INTERVAL_SECONDS = 1

from pipelines.code_location import defs  # noqa: E402 -- built with the interval above

__all__ = ["defs"]
