"""Turns what a person or a schedule asks for into the question that the vendors are asked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from pipelines.faults import ConfigurationError
from pipelines.settings import Settings
from pipelines.variables import MONTH, is_this_machine
from pipelines.vendors.contract import Question
from transforms.months import month_after, month_at, month_bounds, months_between

RECONCILED_MONTHS = 3
"""How many months a reconcile reads again unless told otherwise, the current one included."""

MONTHS_AT_FIRST = 24
"""How many months before the current one a first refresh begins, unless the settings say where."""

MOST_MONTHS = 600
"""Fifty years: more is a mistyped year, and every stretch of it would cost a request."""

FROM, TO = "--from (from_month)", "--to (to_month)"
"""Each as the command line calls it and, in brackets, as the launchpad of the web UI does."""


def first_month(settings: Settings, as_of: datetime) -> str:
    """The month where a first refresh starts reading."""
    return settings.first_month or month_after(month_at(as_of, settings.time_zone), -MONTHS_AT_FIRST)


def refresh(settings: Settings, as_of: datetime) -> Question:
    """Everything new."""
    return Question("refresh", as_of, _beginning(first_month(settings, as_of), settings))


def reconcile(settings: Settings, as_of: datetime, months: int) -> Question:
    """Everything new, and once more the current month and the `months` - 1 before it. Raises ConfigurationError."""
    if not 1 <= months <= MOST_MONTHS:
        raise ConfigurationError(f"--months (months) must be from 1 to {MOST_MONTHS}, not {months}.")
    from_month = month_after(month_at(as_of, settings.time_zone), 1 - months)
    return replace(refresh(settings, as_of), kind="reconcile", from_at=_beginning(from_month, settings))


def backfill(settings: Settings, as_of: datetime, from_month: str, to_month: str) -> Question:
    """The months from `from_month` to `to_month`, both included. Raises ConfigurationError."""
    check_months(from_month, to_month)
    months = len(months_between(from_month, to_month))
    if months > MOST_MONTHS:
        raise ConfigurationError(f"{FROM} {from_month} {TO} {to_month} are {months} months; at most {MOST_MONTHS}.")
    from_at, to_at = _beginning(from_month, settings), _beginning(month_after(to_month), settings)
    if from_at > as_of:
        raise ConfigurationError(
            f"{FROM} {from_month} is after the run's as-of instant, {as_of:%Y-%m-%d %H:%M:%S} UTC."
        )
    return replace(refresh(settings, as_of), kind="backfill", from_at=from_at, to_at=to_at)


def check_months(from_month: str, to_month: str) -> None:
    """Raise ConfigurationError unless these are two months, the first not after the second."""
    for option, month in ((FROM, from_month), (TO, to_month)):
        if not month:
            raise ConfigurationError(f"{option} is missing: both must be a month such as 2026-01.")
        if not MONTH.match(month):
            raise ConfigurationError(f"{option} must be a month such as 2026-01, from 2000 on, not {month!r}.")
    if from_month > to_month:
        raise ConfigurationError(f"{FROM} {from_month} is after {TO} {to_month}.")


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


def refuse_the_future(settings: Settings, vendors: Sequence[str], as_of: datetime) -> None:
    """Raise ConfigurationError where the run's now lies in the future: what a vendor adds until then would count as
    read, and no run before that instant would read anything. A sandbox has a clock of its own, so it is exempt.
    """
    now = datetime.now(UTC)
    hosts = {vendor: urlsplit(settings.base_url(vendor)).hostname or "" for vendor in vendors}
    elsewhere = [vendor for vendor, host in hosts.items() if not is_this_machine(host)]
    if as_of > now and elsewhere:
        raise ConfigurationError(
            f"--as-of (as_of) {as_of:%Y-%m-%d %H:%M:%S} UTC is in the future; it is {now:%Y-%m-%d %H:%M:%S} UTC. "
            f"New data of {', '.join(elsewhere)} up to then would count as read. Omit it, or set a past instant."
        )


def _beginning(month: str, settings: Settings) -> datetime:
    return month_bounds(month, settings.time_zone)[0]
