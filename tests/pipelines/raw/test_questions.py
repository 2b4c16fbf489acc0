"""From what a person asks to windows in time: months of the configured time zone, and the run's now."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.faults import ConfigurationError
from pipelines.raw.extraction import extract
from pipelines.raw.questions import backfill, check_months, reconcile, refresh, refuse_the_future, run_instant
from pipelines.settings import Settings, load_settings

AS_OF = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def settings(zone: str = "UTC", first_month: str = "2025-06") -> Settings:
    variables = {"CHARGEHOUSE_TIME_ZONE": zone, "CHARGEHOUSE_FIRST_MONTH": first_month}
    return load_settings(variables, Path("/nonexistent/.env"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_refresh_asks_for_everything_new() -> None:
    question = refresh(settings(), AS_OF)
    assert (question.kind, question.as_of, question.first_month_at) == ("refresh", AS_OF, at("2025-06-01"))
    assert question.from_at is None
    assert question.to_at is None


@pytest.mark.parametrize(
    ("month", "zone", "as_of", "first"),
    [
        ("2026-01", "UTC", "2026-05-05T00:00", "2026-01-01T00:00"),
        ("2026-01", "Europe/Amsterdam", "2026-05-05T00:00", "2025-12-31T23:00"),
        ("2026-07", "America/New_York", "2026-05-05T00:00", "2026-07-01T04:00"),
        ("", "UTC", "2026-05-05T12:00", "2024-05-01T00:00"),
        ("", "UTC", "2024-02-29T12:00", "2022-02-01T00:00"),
        ("", "Europe/Amsterdam", "2026-04-30T22:30", "2024-04-30T22:00"),
        ("", "Pacific/Auckland", "2026-03-31T20:00", "2024-03-31T11:00"),
    ],
)
def test_the_first_reading_starts_at_the_first_month_or_24_months_before_the_run(
    month: str, zone: str, as_of: str, first: str
) -> None:
    assert refresh(settings(zone, month), at(as_of)).first_month_at == at(first)


@pytest.mark.parametrize(
    ("zone", "months", "from_at"),
    [
        ("UTC", 1, "2026-03-01"),
        ("UTC", 3, "2026-01-01"),
        ("UTC", 4, "2025-12-01"),
        ("UTC", 16, "2024-12-01"),
        ("Europe/Amsterdam", 3, "2025-12-31T23:00"),
        ("Europe/Amsterdam", 6, "2025-09-30T22:00"),
    ],
)
def test_reconcile_reaches_back_whole_months_of_the_zone_the_current_one_included(
    zone: str, months: int, from_at: str
) -> None:
    question = reconcile(settings(zone), AS_OF, months)
    assert (question.kind, question.from_at, question.to_at) == ("reconcile", at(from_at), None)


def test_reconcile_takes_the_current_month_from_the_zone() -> None:
    as_of = at("2026-03-31T22:30")
    assert reconcile(settings("Europe/Amsterdam"), as_of, 1).from_at == at("2026-03-31T22:00")
    assert reconcile(settings("UTC"), as_of, 1).from_at == at("2026-03-01")


@pytest.mark.parametrize("months", [0, -1, 601, 100_000])
def test_reconcile_of_no_months_or_too_many_is_a_mistake(months: int) -> None:
    with pytest.raises(ConfigurationError, match="--months"):
        reconcile(settings(), AS_OF, months)


@pytest.mark.parametrize(
    ("zone", "from_month", "to_month", "from_at", "to_at"),
    [
        ("UTC", "2026-01", "2026-01", "2026-01-01", "2026-02-01"),
        ("UTC", "2025-11", "2025-12", "2025-11-01", "2026-01-01"),
        ("UTC", "2024-02", "2024-02", "2024-02-01", "2024-03-01"),
        ("Europe/Amsterdam", "2026-03", "2026-03", "2026-02-28T23:00", "2026-03-31T22:00"),
    ],
)
def test_a_backfill_is_whole_months_both_included(
    zone: str, from_month: str, to_month: str, from_at: str, to_at: str
) -> None:
    question = backfill(settings(zone), AS_OF, from_month, to_month)
    assert (question.kind, question.from_at, question.to_at) == ("backfill", at(from_at), at(to_at))


@pytest.mark.parametrize(
    ("from_month", "to_month", "named"),
    [
        ("", "2026-01", r"--from \(from_month\) is missing"),
        ("2026-01", "", r"--to \(to_month\) is missing: both must be"),
        ("2026-13", "2026-14", "--from"),
        ("2026-01", "0000-01", "--to"),
        ("2026-01", "9999-12", "--to"),
        ("2026-1", "2026-02", "--from"),
        ("1000-10", "1000-11", r"--from \(from_month\) must be a month"),
        ("2026-01\n", "2026-02", "--from"),
        ("2026-01", "2026-02\n", r"--to \(to_month\) must be a month"),
        ("2026-03", "2026-02", r"--from \(from_month\) 2026-03 is after --to \(to_month\) 2026-02"),
    ],
)
def test_months_that_are_none_or_in_no_order_are_a_mistake(from_month: str, to_month: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        check_months(from_month, to_month)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T06:00:00Z", "2026-03-01T06:00"),
        ("2026-03-01T06:00:00", "2026-03-01T06:00"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T06:00:00+02:00", "2026-03-01T04:00"),
        ("2026-03-01T06:00:00.123999Z", "2026-03-01T06:00:00.123"),
    ],
)
def test_the_runs_now_is_utc_and_cut_to_milliseconds(text: str, instant: str) -> None:
    assert run_instant(text) == at(instant)


def test_the_runs_now_is_the_clocks_by_default() -> None:
    before = datetime.now(UTC).timestamp()
    instant = run_instant("")
    assert before - 0.001 <= instant.timestamp() <= datetime.now(UTC).timestamp()
    assert instant.microsecond % 1000 == 0


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30", "2026-03-01T25:00", "0001-01-01", "9999-12-31T23:59:59-05:00", "1772442061000"]
)
def test_an_instant_that_is_none_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--as-of"):
        run_instant(text)


def test_a_now_that_is_yet_to_come_is_refused_before_a_vendor_is_asked(tmp_path: Path) -> None:
    """Else everything up to that instant would count as read: a typo in the year would lose years of data."""
    account = {"CHARGEHOUSE_DATA": str(tmp_path / "data"), "GREENFLUX_TOKEN": "token"}
    elsewhere = load_settings({**account, "GREENFLUX_BASE_URL": "https://greenflux.invalid"}, tmp_path / ".env")
    for as_of in (datetime.now(UTC) + timedelta(minutes=1), at("2962-11-22")):
        with pytest.raises(ConfigurationError, match="New data of greenflux up to then would count as read"):
            extract(elsewhere, ["greenflux"], refresh(elsewhere, as_of), "run-1")
    assert not elsewhere.data.exists()
    refuse_the_future(elsewhere, ["greenflux"], run_instant(""))
    sandbox = load_settings({**account, "GREENFLUX_BASE_URL": "http://127.0.0.1:9/greenflux"}, tmp_path / ".env")
    refuse_the_future(sandbox, ["greenflux"], at("2962-11-22"))
