"""kill -9 at any moment (F24): whatever it hits, the next plain refresh ends equal to the truth."""

import random
import time

import pytest

from tests.crashes.conftest import REFRESHES
from tests.crashes.house import KILLED, House

SEEDS = 12
LONGEST_SECONDS = 4.0


def is_killed_at_random(house: House, chance: random.Random, *arguments: str) -> bool:
    """Run a command and kill it after a while; returns whether it was still running."""
    process = house.start(*arguments)
    time.sleep(chance.uniform(0.8, LONGEST_SECONDS))
    process.kill()
    return house.finish(process)[0] == KILLED


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_warehouse_killed_at_random_moments_converges(new_house: House, seed: int) -> None:
    chance = random.Random(seed)
    killed = 0
    for number, instant in enumerate(REFRESHES[:2], start=1):
        new_house.sandbox.now = instant
        for arguments in (("refresh", "--as-of", instant.isoformat()), ("rebuild",)):
            killed += is_killed_at_random(new_house, chance, *arguments)
        new_house.assert_converges(REFRESHES[:number])
    assert killed
