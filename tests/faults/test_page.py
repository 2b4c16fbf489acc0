"""docs/faults.md says what the tests prove."""

from tests.faults import page
from tests.faults.table import DOES_NOT_APPLY, FAMILIES


def test_the_page_is_fresh() -> None:
    assert page.main(["--check"]) == 0, "run `make documents`"


def test_every_fault_is_either_proved_or_cannot_happen() -> None:
    numbers = [number for faults in FAMILIES.values() for number in faults]
    assert numbers == list(range(1, 69))
    proved = set(page.proofs())
    assert proved | set(DOES_NOT_APPLY) == set(numbers)
    assert not proved & set(DOES_NOT_APPLY)
