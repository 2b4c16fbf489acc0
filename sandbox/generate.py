"""A generated world: fully determined by its arguments, and continuing for some time after it is populated."""

from datetime import UTC, datetime

from sandbox.generation import greenflux, jedlix, smappee, zaptec
from sandbox.generation.brief import Brief
from sandbox.world import World


def generate_world(
    seed: int,
    begins_at: datetime,
    populated_until: datetime,
    sessions: int,
    *,
    continues_days: int = 100,
    very_late: float = 0.0,
) -> World:
    """Generates a world of about `sessions` sessions over the four vendors between two instants.

    New sessions continue at the same daily rate for another `continues_days`, so that the clock can advance. Everything
    late (uploads, corrections, recalculations) is visible within 6 days of the session's end, except for the share
    `very_late` of it, which takes 20 to 60 days. Raises ValueError if the instants are naive or not in order, or if
    `sessions` is negative.
    """
    if begins_at.tzinfo is None or populated_until.tzinfo is None or begins_at >= populated_until:
        raise ValueError("begins_at must be before populated_until, and both need a time zone")
    if sessions < 0:
        raise ValueError(f"the number of sessions must be 0 or more, not {sessions}")
    begin = begins_at.astimezone(UTC).replace(microsecond=0)
    world = World()
    vendors = (zaptec, jedlix, greenflux, smappee)
    for position, vendor in enumerate(vendors):
        share = (sessions + len(vendors) - 1 - position) // len(vendors)
        vendor.populate(world, Brief(seed, begin, populated_until.astimezone(UTC), share, continues_days, very_late))
    return world
