"""The radar: months at risk, months lost, sessions that are only here, and what the headers say."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.radar import vendor_radar
from warehouse.tables.operations import Coverage, VendorRadar

AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)
LIMIT = datetime(2024, 11, 20, 6, tzinfo=UTC)
READING = {
    "vendor": pl.String,
    "endpoint": pl.String,
    "state": pl.String,
    "as_of": pl.Datetime("us", "UTC"),
    "deprecated_at": pl.Datetime("us", "UTC"),
    "sunset_at": pl.Datetime("us", "UTC"),
    "retirement_url": pl.String,
}
Month = tuple[str, str, str, int]


def radar(
    months: list[Month],
    held: list[datetime] | None = None,
    headers: list[tuple[datetime, datetime | None, datetime | None, str | None]] | None = None,
    kept_months: int | None = 24,
    time_zone: str = "UTC",
    is_asked: bool = True,
) -> dict[str, object]:
    """The radar's row of zaptec's sessions. `months`: scope, month, state, rows."""
    endpoints = pl.DataFrame(
        [("zaptec", "sessions", "unversioned", "A change.", "https://v.example", kept_months)],
        schema={
            **dict.fromkeys(("vendor", "endpoint", "api_version", "announced", "announced_source_url"), pl.String),
            "kept_months": pl.Int64,
        },
        orient="row",
    )
    coverage = pl.DataFrame(
        [
            ("zaptec", "sessions", scope, month, state, rows, AS_OF, None, is_asked)
            for scope, month, state, rows in months
        ],
        schema={name: column.dtype for name, column in Coverage.columns().items()},
        orient="row",
    )
    readings = pl.DataFrame(
        [("zaptec", "sessions", "complete", *header) for header in headers or []], schema=READING, orient="row"
    )
    sessions = pl.DataFrame(
        [("zaptec", ended_at) for ended_at in held or []],
        schema={"vendor": pl.String, "ended_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    result = vendor_radar(endpoints, readings, coverage, sessions, AS_OF, time_zone)
    VendorRadar.validate(result)
    return result.row(0, named=True)


def test_an_endpoint_that_was_never_read_has_a_row() -> None:
    row = radar([])
    assert (row["months_at_risk"], row["months_lost"], row["rows_at_risk"], row["seen_at"]) == (0, 0, 0, None)
    assert (row["oldest_available_at"], row["sessions_leaving"], row["sessions_only_here"]) == (LIMIT, 0, 0)
    assert row["api_version"] == "unversioned"


def test_everything_read_puts_nothing_at_risk() -> None:
    row = radar([("a", month, "complete", 100) for month in ("2024-09", "2024-11", "2024-12", "2026-11")])
    assert (row["months_at_risk"], row["months_lost"], row["rows_at_risk"]) == (0, 0, 0)


@pytest.mark.parametrize("state", ["never", "partial", "gap"])
@pytest.mark.parametrize(
    ("month", "at_risk", "lost"),
    [
        ("2024-09", 0, 1),
        ("2024-10", 0, 1),
        ("2024-11", 1, 0),  # contains the limit
        ("2024-12", 1, 0),
        ("2025-02", 1, 0),  # begins 73 days after the limit
        ("2025-03", 0, 0),  # begins 101 days after it
        ("2026-11", 0, 0),
    ],
)
def test_an_unread_month_is_lost_at_risk_or_safe_for_now(state: str, month: str, at_risk: int, lost: int) -> None:
    row = radar([("a", month, state, 0), ("a", "2026-01", "complete", 50)])
    assert (row["months_at_risk"], row["months_lost"]) == (at_risk, lost)
    assert row["rows_at_risk"] == 50 * at_risk


def test_a_place_that_is_not_asked_any_more_has_nothing_at_risk() -> None:
    row = radar([("a", "2024-09", "gap", 0), ("a", "2024-12", "gap", 0)], is_asked=False)
    assert (row["months_at_risk"], row["months_lost"], row["rows_at_risk"]) == (0, 0, 0)


def test_months_count_per_scope_and_rows_are_estimated_from_the_scope_s_own_months() -> None:
    row = radar(
        [
            ("a", "2024-12", "never", 0),
            ("a", "2025-01", "partial", 30),
            ("a", "2025-06", "complete", 90),
            ("a", "2025-07", "complete", 111),
            ("b", "2024-12", "gap", 0),
            ("b", "2025-06", "complete", 7),
            ("b", "2025-07", "complete", 8),
        ]
    )
    # 100.5 for a whole month, 70.5 for the rest of another, and 7.5 for the other scope; half a row counts as one.
    assert (row["months_at_risk"], row["rows_at_risk"]) == (3, 179)


def test_a_scope_of_which_nothing_is_known_has_no_number_of_rows() -> None:
    assert radar([("a", "2024-12", "never", 0)])["rows_at_risk"] is None
    row = radar([("a", "2024-12", "gap", 0), ("b", "2024-12", "never", 0), ("b", "2025-06", "complete", 9)])
    assert (row["months_at_risk"], row["rows_at_risk"]) == (2, None)


def test_more_read_than_expected_is_no_negative_risk() -> None:
    assert radar([("a", "2024-12", "gap", 500), ("a", "2025-06", "complete", 9)])["rows_at_risk"] == 0


def test_sessions_are_only_here_once_they_are_older_than_the_limit() -> None:
    moment = timedelta(microseconds=1)
    horizon = LIMIT + timedelta(days=90)
    row = radar([], [LIMIT - timedelta(days=400), LIMIT - moment, LIMIT, horizon - moment, horizon, AS_OF])
    assert (row["sessions_only_here"], row["sessions_leaving"]) == (2, 2)


def test_without_a_known_limit_nothing_can_be_said_of_age() -> None:
    row = radar([("a", "2020-01", "never", 0)], [LIMIT], kept_months=None)
    assert (row["months_at_risk"], row["months_lost"], row["rows_at_risk"]) == (0, 0, 0)
    assert (row["oldest_available_at"], row["sessions_only_here"], row["sessions_leaving"]) == (None, None, None)


def test_a_month_begins_where_the_time_zone_says() -> None:
    """The limit, 06:00 UTC on 20 November, is the border of a month in no time zone; 90 days later is 18 February."""
    assert radar([("a", "2025-02", "never", 0)], time_zone="Pacific/Auckland")["months_at_risk"] == 1


def test_an_endpoint_that_ends_soon_takes_every_unread_month_along() -> None:
    months = [("a", "2025-06", "gap", 0), ("a", "2026-05", "never", 0), ("a", "2026-06", "complete", 20)]
    soon, later = AS_OF + timedelta(days=89), AS_OF + timedelta(days=90)
    assert radar(months, headers=[(AS_OF, None, soon, None)])["months_at_risk"] == 2
    assert radar(months, headers=[(AS_OF, None, later, None)])["months_at_risk"] == 0
    assert radar(months, headers=[(AS_OF, None, soon, None)], kept_months=None)["months_at_risk"] == 2


def test_a_month_that_is_gone_is_not_lost_again_with_its_endpoint() -> None:
    soon = AS_OF + timedelta(days=30)
    row = radar([("a", "2024-09", "never", 0), ("a", "2026-05", "never", 0)], headers=[(AS_OF, None, soon, None)])
    assert (row["months_at_risk"], row["months_lost"]) == (1, 1)


def test_what_the_headers_said_in_the_newest_run_counts() -> None:
    before = AS_OF - timedelta(days=1)
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    row = radar(
        [],
        headers=[
            (before, old, old, "https://v.example/old"),
            (AS_OF, None, None, None),
            (AS_OF, new, None, "https://v.example/new"),
            (AS_OF, new + timedelta(days=9), None, "https://v.example/new"),
        ],
    )
    assert (row["seen_at"], row["deprecated_at"], row["sunset_at"]) == (AS_OF, new, None)
    assert row["retirement_url"] == "https://v.example/new"
    taken_back = radar([], headers=[(before, old, old, "https://v.example/old"), (AS_OF, None, None, None)])
    assert (taken_back["deprecated_at"], taken_back["retirement_url"]) == (None, None)
