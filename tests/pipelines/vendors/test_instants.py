"""Instants as they are sent; and the instant to begin reading at, parsed from a vendor's text: an instant or None, and
never an error."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.vendors.instants import epoch_milliseconds, iso_milliseconds, parsed_instant
from transforms.instants import instant_from_epoch_milliseconds, instant_from_iso

AT_TEN = datetime(2028, 3, 1, 10, tzinfo=UTC)


def test_an_instant_is_sent_in_utc_to_the_millisecond() -> None:
    ahead = timezone(timedelta(hours=1, minutes=30))
    assert iso_milliseconds(AT_TEN.astimezone(ahead)) == "2028-03-01T10:00:00.000Z"
    assert epoch_milliseconds(AT_TEN.astimezone(ahead)) == 1_835_517_600_000


@pytest.mark.parametrize(
    "written",
    [
        "2028-03-01T10:00:00",
        "2028-03-01T10:00:00Z",
        "2028-03-01T11:30:00.000+01:30",
        "1835517600000",
        "2028-03-01T10:00Z",
        "2028-03-01 11:00:00+01",
        "2028-03-01T05:00-05",
        "2028-03-01t10:00:00z",
        " 2028-03-01T10:00:00 Z ",
        "2028-03-01 11:00:00 +0100",
        "1835517600000.0",
        " 1835517600000\n",
    ],
)
def test_an_instant_is_utc_however_it_is_written(written: str) -> None:
    assert parsed_instant(written) == AT_TEN


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "soon",
        "2028-03-32T10:00:00Z",
        "9" * 30,
        "-1835517600000",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59.9999999-01:00",
    ],
)
def test_what_is_no_instant_in_utc_is_none(written: str | None) -> None:
    assert parsed_instant(written) is None


@given(
    st.integers(0, 230 * 365 * 1440).map(lambda minutes: datetime(1971, 1, 2, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.sampled_from("Tt "),
    st.sampled_from(["", ":07", ":07.1", ":07,123", ":07.1234567", ":07.123456789"]),
    st.sampled_from(["", "Z", "z", " Z", "+01:00", " +0100", "-05", "+05:30", "-09:30"]),
    st.sampled_from(["", " "]),
)
def test_what_staging_reads_as_an_instant_is_read_as_the_same(
    at: datetime, separator: str, seconds: str, zone: str, blank: str
) -> None:
    """Else staging would accept a running session, but later runs would not read from its start."""
    written = f"{blank}{at:%Y-%m-%d}{separator}{at:%H:%M}{seconds}{zone}{blank}"
    staged = pl.select(instant_from_iso(pl.lit(written))).item()
    instant = parsed_instant(written)
    assert instant is not None
    assert instant.replace(microsecond=instant.microsecond // 1000 * 1000) == staged


@given(st.integers(10**11, 7 * 10**12), st.sampled_from(["", ".", ".0", ".00"]), st.sampled_from(["", " "]))
def test_epoch_milliseconds_that_staging_reads_are_read_as_the_same(
    milliseconds: int, fraction: str, blank: str
) -> None:
    written = f"{blank}{milliseconds}{fraction}{blank}"
    assert parsed_instant(written) == pl.select(instant_from_epoch_milliseconds(pl.lit(written))).item()


@given(st.text() | st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.integers().map(str))
def test_no_text_is_an_error(written: str) -> None:
    instant = parsed_instant(written)
    assert instant is None or instant.tzinfo is UTC
