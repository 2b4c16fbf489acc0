import polars as pl
import pytest

from transforms.micro_kwh import kwh, micro_kwh, share
from transforms.numbers import finite_number


@pytest.mark.parametrize(
    ("text", "number"), [("31.4", 31.4), ("1e-3", 0.001), (" 3 ", 3.0), ("-2", -2.0), ("0", 0.0), ("1E2", 100.0)]
)
def test_a_number_is_read_in_any_of_its_notations(text: str, number: float) -> None:
    assert pl.select(finite_number(pl.lit(text))).item() == number


@pytest.mark.parametrize("text", ["n/a", "", "12,5", "NaN", "Infinity", "-inf", "1e999", "0x1F", "1_000", "true"])
def test_what_is_no_finite_number_is_null(text: str) -> None:
    assert pl.select(finite_number(pl.lit(text))).item() is None


@pytest.mark.parametrize(
    ("energy_kwh", "text"), [(0.0000005, "0.000001"), (0.00000049, "0.000000"), (31.418, "31.418000")]
)
def test_energy_is_rounded_half_up_to_six_places(energy_kwh: float, text: str) -> None:
    assert str(pl.select(kwh(micro_kwh(pl.lit(energy_kwh)))).item()) == text


def test_a_share_of_five_megawatt_hours_over_a_century_does_not_overflow() -> None:
    whole, parts = 5_000_000_000, 100 * 365 * 86_400_000
    assert pl.select(share(pl.lit(whole), pl.lit(parts // 2), pl.lit(parts))).item() == whole // 2
