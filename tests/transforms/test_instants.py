from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.instants import instant_from_epoch_milliseconds, instant_from_iso


def from_iso(text: str | None) -> datetime | None:
    instant = pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(instant_from_iso(pl.col("text")))
    assert instant.dtypes == [pl.Datetime("us", "UTC")]
    value: datetime | None = instant.item()
    return value


def from_epoch(text: str | None) -> datetime | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    value: datetime | None = frame.select(instant_from_epoch_milliseconds(pl.col("text"))).item()
    return value


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-01-05T10:00:00Z", 0),
        ("2026-01-05 10:00:00", 0),
        ("2026-01-05T10:00:00.1Z", 100_000),
        ("2026-01-05T10:00:00,123+00:00", 123_000),
        ("2026-01-05T11:00:00.123456+01:00", 123_000),
        ("2026-01-05T11:00:00.123456789+0100", 123_000),
        ("2026-01-05T04:30:00.999999-05:30", 999_000),
        ("  2026-01-05T10:00:00.Z ", 0),
        ("2026-01-05T10:00Z", 0),
        ("2026-01-05 10:00", 0),
        ("2026-01-05T11:30+01:30", 0),
        ("2026-01-05 11:00:00+01", 0),
        ("2026-01-05T05:00:00.25-05", 250_000),
        ("2026-01-05T11:00+01", 0),
    ],
)
def test_every_way_of_writing_ten_o_clock_is_ten_o_clock(text: str, microsecond: int) -> None:
    assert from_iso(text) == datetime(2026, 1, 5, 10, 0, 0, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "2026-01-05",
        "2026-02-30T10:00:00Z",
        "2026-01-05T24:00:01Z",
        "2026-01-05T10:00:00:000",
        "2026-01-05T10:00:00.1234567890Z",
        "2026-01-05T10:00:00+99:00",
        "2026-01-05T10:00:00+1",
        "2026-01-05T10:00:00+99",
        "2026-01-05T10:00:00+01:3",
        "2026-01-05T24:00Z",
        "2026-01-05T10Z",
        "2026-01-05T10:0Z",
        "2026-01-05T10:00.5Z",
        "2026-01-05T10:00:Z",
        "1970-06-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1772442061000",
    ],
)
def test_what_is_no_time_of_a_session_is_null(text: str | None) -> None:
    assert from_iso(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00.\u0660\u0660\u0660Z",
        "2026-03-01T12:00:0\u0660Z",
        "2026-03-01T12:00:00+0\u0661:00",
        "20\u0662\u0666-03-01T12:00:00Z",
        "\u0661635721200000",
        "163572120000\uff10",
    ],
)
def test_digits_of_other_scripts_are_no_time(text: str) -> None:
    column = pl.DataFrame({"text": [text, "2026-03-01T12:00:00Z"]})
    parsed = column.select(iso=instant_from_iso(pl.col("text")), epoch=instant_from_epoch_milliseconds(pl.col("text")))
    assert parsed.row(0) == (None, None)
    assert parsed["iso"][1] is not None


@pytest.mark.parametrize("text", ["1635721200000", " 1635721200000 ", "1635721200000.", "1635721200000.0"])
def test_epoch_milliseconds_are_utc(text: str) -> None:
    assert from_epoch(text) == datetime(2021, 10, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [None, "", "0", "-1772442061000", "1772442061", "1772442061.123", "99999999999999", "2026-01-05"],
)
def test_seconds_and_nonsense_are_no_epoch_milliseconds(text: str | None) -> None:
    assert from_epoch(text) is None


_FIRST = datetime(1971, 1, 2, tzinfo=UTC)
_LAST = datetime(2200, 12, 30, tzinfo=UTC)


@settings(max_examples=100)
@given(st.integers(0, (_LAST - _FIRST) // timedelta(microseconds=1)), st.integers(-14 * 60, 14 * 60))
def test_any_instant_survives_being_written_in_any_zone(microseconds: int, offset_minutes: int) -> None:
    instant = _FIRST + timedelta(microseconds=microseconds)
    written = instant.astimezone(timezone(timedelta(minutes=offset_minutes))).isoformat()
    assert from_iso(written) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)
