import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.micro_kwh import kwh, micro_kwh, share, share_fits_64_bits
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


_MAGNITUDES = st.integers(0, 62).flatmap(lambda bits: st.integers(0, 2**bits))


@given(_MAGNITUDES, _MAGNITUDES, st.floats(0, 1))
def test_a_share_that_fits_64_bits_is_the_same_in_64_bits(whole: int, parts: int, portion: float) -> None:
    part = min(int(parts * portion), parts)
    expected = (2 * whole * part + parts) // (2 * parts) if parts else None
    numbers = pl.lit(whole), pl.lit(part), pl.lit(parts)
    assert pl.select(share(*numbers)).item() == expected
    if pl.select(share_fits_64_bits(pl.lit(whole), pl.lit(parts))).item():
        assert pl.select(share(*numbers, pl.Int64)).item() == expected


@pytest.mark.parametrize(
    ("whole", "parts", "fits"), [(2**30, 2**32 - 2, True), (2**30, 2**32, False), (0, 2**62, False)]
)
def test_64_bits_are_enough_up_to_their_last(whole: int, parts: int, fits: bool) -> None:
    assert pl.select(share_fits_64_bits(pl.lit(whole), pl.lit(parts))).item() is fits
