"""From what a person or a schedule asks to what the vendors are asked."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipelines.faults import ConfigurationError
from pipelines.settings import MONTH, Settings
from pipelines.vendors.contract import Question

RECONCILED_MONTHS = 3
"""How many months a reconcile reads again unless told otherwise, the current one included."""

MOST_MONTHS = 600
FROM, TO = "--from (from_month)", "--to (to_month)"
"""As the command line calls it, and the launchpad of the web UI."""


def refresh(settings: Settings, as_of: datetime) -> Question:
    """Everything new."""
    return Question("refresh", as_of, settings.first_month_at(as_of))


def reconcile(settings: Settings, as_of: datetime, months: int) -> Question:
    """Everything new, and the current month and the `months` - 1 before it again. Raises ConfigurationError."""
    if not 1 <= months <= MOST_MONTHS:
        raise ConfigurationError(f"--months (months) must be from 1 to {MOST_MONTHS}, not {months}.")
    zone = ZoneInfo(settings.time_zone)
    local = as_of.astimezone(zone)
    from_at = _month_at(local.year, local.month - months + 1, zone)
    return Question("reconcile", as_of, settings.first_month_at(as_of), from_at)


def backfill(settings: Settings, as_of: datetime, from_month: str, to_month: str) -> Question:
    """The months from `from_month` to `to_month`, both included. Raises ConfigurationError."""
    check_months(from_month, to_month)
    months = (int(to_month[:4]) - int(from_month[:4])) * 12 + int(to_month[5:]) - int(from_month[5:]) + 1
    if months > MOST_MONTHS:
        raise ConfigurationError(f"{FROM} {from_month} {TO} {to_month} are {months} months; at most {MOST_MONTHS}.")
    zone = ZoneInfo(settings.time_zone)
    from_at = _month_at(int(from_month[:4]), int(from_month[5:]), zone)
    to_at = _month_at(int(to_month[:4]), int(to_month[5:]) + 1, zone)
    return Question("backfill", as_of, settings.first_month_at(as_of), from_at, to_at)


def check_months(from_month: str, to_month: str) -> None:
    """Raises ConfigurationError unless these are two months, the first not after the last."""
    for option, month in ((FROM, from_month), (TO, to_month)):
        if not MONTH.match(month):
            raise ConfigurationError(f"{option} must be a month such as 2026-01, not {month!r}.")
    if from_month > to_month:
        raise ConfigurationError(f"{FROM} {from_month} lies after {TO} {to_month}.")


def run_instant(text: str) -> datetime:
    """The run's now from ISO 8601 (empty: the clock), cut to milliseconds as the vendors' clocks are.

    Raises ConfigurationError.
    """
    try:
        instant = datetime.fromisoformat(text) if text else datetime.now(UTC)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        instant = datetime.min.replace(tzinfo=UTC)
    if not 2000 <= instant.year < 3000:
        raise ConfigurationError(f"--as-of must be an instant such as 2026-03-01T06:00:00Z, not {text!r}.")
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _month_at(year: int, number: int, zone: ZoneInfo) -> datetime:
    """The beginning of a month; numbers below 1 and above 12 reach into the years around."""
    return datetime(year + (number - 1) // 12, (number - 1) % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
