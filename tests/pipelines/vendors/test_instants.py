"""Instants as they are sent; and where to begin reading, out of what a vendor wrote: an instant, or none, and never an
error."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.vendors.instants import epoch_milliseconds, iso_milliseconds, parsed_instant

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


@given(st.text() | st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.integers().map(str))
def test_no_text_is_an_error(written: str) -> None:
    instant = parsed_instant(written)
    assert instant is None or instant.tzinfo is UTC
