"""Times as they are written, and the calendar they fall into: F42 to F48."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sandbox.server import Sandbox
from tests.faults.scene import PLACE, Scene, iso
from tests.faults.verdict import Walk

ZONE = ZoneInfo("Europe/Amsterdam")
HOST_ZONE = "Pacific/Chatham"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BEGINS_AT = datetime(2027, 10, 1, tzinfo=UTC)
FIRST = datetime(2028, 4, 20, 6, tzinfo=UTC)
SECOND = FIRST + 3 * DAY
CDRS = "SELECT session_id, month FROM fact_session WHERE vendor = 'greenflux' ORDER BY ALL"
AT_TEN = "2028-03-01T10:00:00"
WRITTEN = {
    "naive": (AT_TEN, "10:00:00.000"),
    "zulu": (f"{AT_TEN}Z", "10:00:00.000"),
    "offset": ("2028-03-01T11:30:00+01:30", "10:00:00.000"),
    "offset-without-colon": ("2028-03-01T09:00:00-0100", "10:00:00.000"),
    "milliseconds": (f"{AT_TEN}.125Z", "10:00:00.125"),
    "seven-digits": (f"{AT_TEN}.1259999Z", "10:00:00.125"),
    "comma": (f"{AT_TEN},5Z", "10:00:00.500"),
    "no-seconds": ("2028-03-01T10:00Z", "10:00:00.000"),
    "offset-of-hours": ("2028-03-01 11:00:00+01", "10:00:00.000"),
    "blank": ("2028-03-01 10:00:00Z", "10:00:00.000"),
    "epoch": ("1835517600000", None),
    "zero": ("0", None),
    "year-1": ("0001-01-01T00:00:00+01:00", None),
    "year-9999": ("9999-12-31T23:59:59Z", None),
    "day-32": ("2028-03-32T10:00:00Z", None),
    "words": ("yesterday", None),
}
"""Ways to write a start, and the instant of 1 March that each means; None if it is unreadable."""

LENGTHS = {
    "over-a-month": (datetime(2028, 1, 31, 22, tzinfo=UTC), 4 * HOUR),
    "over-a-year": (datetime(2027, 12, 31, 21, 50, tzinfo=UTC), 3 * HOUR),
    "over-a-leap-day": (datetime(2028, 2, 28, 12, tzinfo=UTC), 48 * HOUR),
    "of-no-length": (datetime(2028, 2, 10, 12, 7, tzinfo=UTC), timedelta(0)),
    "of-forty-days": (datetime(2028, 1, 5, 3, 33, tzinfo=UTC), 40 * DAY),
    "over-the-spring-gap": (datetime(2028, 3, 25, 22, 30, tzinfo=UTC), 26 * HOUR),
    "over-the-autumn-repeat": (datetime(2027, 10, 30, 21, 30, tzinfo=UTC), 28 * HOUR),
}


def scene() -> Scene:
    made = Scene(BEGINS_AT)
    ended_at = datetime(2028, 3, 1, 12, tzinfo=UTC)
    for name, (written, _) in WRITTEN.items():
        made.zaptec(f"zaptec-{name}", ended_at - HOUR, ended_at, startDateTime=written)
        made.greenflux(f"cdr-{name}", ended_at - HOUR, ended_at, start_date_time=written)
    for number, (started_at, length) in enumerate(LENGTHS.values()):
        name = list(LENGTHS)[number]
        made.zaptec(f"zaptec-{name}", started_at, started_at + length, 48.123)
        made.greenflux(f"cdr-{name}", started_at, started_at + length, 48.123)
        made.smappee(1000 + number, started_at, started_at + length, 48.123)
    # Epoch seconds where milliseconds belong; and a start below zero, which no list of any month shows.
    made.smappee(1, ended_at - HOUR, ended_at, to=int(ended_at.timestamp()))
    made.smappee(2, ended_at - HOUR, ended_at, **{"from": str(int(ended_at.timestamp() * 1000) - 3_600_000)})
    made.smappee(3, ended_at - HOUR, ended_at, **{"from": -5})
    # A clock that runs ahead: the session is already listed, though it begins the day after tomorrow.
    ahead = FIRST + 2 * DAY
    made.zaptec("ahead", ahead, ahead + HOUR, at=FIRST - DAY)
    made.jedlix("ahead", ahead, ahead + HOUR, at=FIRST - DAY)
    made.smappee(4, ahead, ahead + HOUR, at=FIRST - DAY)
    made.zaptec("backwards", ended_at, ended_at - HOUR)
    made.zaptec("unreliable", ended_at - HOUR, ended_at, reliableClock=False)
    # A car that was plugged in for months, and a location whose time zone is corrected meanwhile.
    made.jedlix("for-months", datetime(2028, 2, 28, tzinfo=UTC), None)
    made.again("jedlix", "for-months", FIRST + DAY, endTime=iso(FIRST + DAY), status="Complete", energyCharged=60.0)
    made.place(PLACE, FIRST + DAY, time_zone="America/New_York")
    return made


class Timed:
    """A walk, and what was published after its first refresh."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.sessions = {row for (row,) in walk.house.query("SELECT session_id FROM fact_session")}
        self.open_sessions = {row for (row,) in walk.house.query("SELECT session_id FROM open_session")}
        self.cdrs = walk.house.query(CDRS)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Timed]:
    """Two refreshes on a host whose time zone is far from the configured one."""
    with pytest.MonkeyPatch.context() as patched, Sandbox(scene().world, FIRST) as sandbox:
        patched.setenv("TZ", HOST_ZONE)
        time.tzset()
        try:
            data = tmp_path_factory.mktemp("data")
            walk = Walk(data, sandbox, "2027-10", CHARGEHOUSE_TIME_ZONE=ZONE.key, TZ=HOST_ZONE)
            walk.refresh(FIRST)
            met = Timed(walk)
            walk.refresh(SECOND)
            yield met
        finally:
            patched.undo()
            time.tzset()


@pytest.mark.parametrize("name", list(WRITTEN))
@pytest.mark.parametrize("vendor", ["zaptec", "cdr"])
def test_f42_a_time_is_one_utc_instant_however_it_is_written_or_it_is_unreadable(
    timed: Timed, vendor: str, name: str
) -> None:
    meant = WRITTEN[name][1]
    house, session = timed.walk.house, f"{vendor}-{name}"
    if meant is None:
        reasons = house.query(f"SELECT reason FROM rejected_session WHERE session_id = '{session}'")
        assert reasons == [("unreadable",)]
    else:
        ((started_at,),) = house.query(f"SELECT started_at FROM fact_session WHERE session_id = '{session}'")
        assert iso(started_at) == f"2028-03-01T{meant}Z"


def test_f42_epoch_seconds_are_unreadable_and_epoch_milliseconds_may_be_text(timed: Timed) -> None:
    house = timed.walk.house
    assert house.query("SELECT reason FROM rejected_session WHERE vendor = 'smappee'") == [("unreadable",)]
    assert house.query("SELECT connected_seconds FROM fact_session WHERE session_id = '2'") == [(3600.0,)]
    assert "3" not in timed.sessions


@pytest.mark.parametrize(("day", "slots"), [("2028-03-26", 92), ("2027-10-31", 100)])
def test_f43_a_day_has_92_slots_in_spring_and_100_in_autumn_and_keeps_its_energy(
    timed: Timed, day: str, slots: int
) -> None:
    name = "over-the-spring-gap" if slots == 92 else "over-the-autumn-repeat"
    begins_at = datetime.fromisoformat(day).replace(tzinfo=ZONE).astimezone(UTC)
    ends_at = (datetime.fromisoformat(day) + DAY).replace(tzinfo=ZONE).astimezone(UTC)
    rows = timed.walk.house.query(
        f"SELECT slot_start_at, energy_kwh FROM fact_energy WHERE session_id = 'zaptec-{name}'"
    )
    assert len([at for at, _ in rows if begins_at <= at < ends_at]) == slots
    assert float(sum(kwh for _, kwh in rows)) == 48.123


@pytest.mark.parametrize("name", list(LENGTHS))
def test_f44_a_session_of_any_length_is_laid_out_by_slot_and_sums_to_itself(timed: Timed, name: str) -> None:
    started_at, length = LENGTHS[name]
    number = 1000 + list(LENGTHS).index(name)
    rows = timed.walk.house.query(
        "SELECT vendor, session_id, month, energy_kwh, slot_start_at FROM fact_energy "
        f"WHERE session_id IN ('zaptec-{name}', 'cdr-{name}', '{number}')"
    )
    for vendor in ("zaptec", "greenflux", "smappee"):
        mine = [row for row in rows if row[0] == vendor]
        assert float(sum(kwh for _, _, _, kwh, _ in mine)) == 48.123
        assert all(month == at.astimezone(ZONE).strftime("%Y-%m") for _, _, month, _, at in mine)
        assert all(started_at - HOUR / 4 < at < started_at + max(length, HOUR / 4) for *_, at in mine)


def test_f45_a_host_in_another_zone_publishes_the_same_rows(timed: Timed) -> None:
    assert time.tzname != ("UTC", "UTC")
    assert timed.walk.differences() == {}


def test_f46_a_location_that_corrects_its_zone_moves_no_session(timed: Timed) -> None:
    house = timed.walk.house
    zones = house.query(
        f"SELECT time_zone, is_current FROM dim_location WHERE location_id = '{PLACE}' ORDER BY valid_from"
    )
    assert zones == [(None, False), ("America/New_York", True)]
    assert house.query(CDRS) == timed.cdrs


def test_f47_a_session_that_ends_before_its_start_is_rejected_and_an_unreliable_clock_counts(timed: Timed) -> None:
    rejected = timed.walk.house.query("SELECT reason FROM rejected_session WHERE session_id = 'backwards'")
    assert rejected == [("ends_before_start",)]
    assert "unreliable" in timed.sessions


def test_f47_a_session_of_the_future_waits_for_its_time_and_no_watermark_runs_ahead(timed: Timed) -> None:
    assert "ahead" not in timed.sessions | timed.open_sessions
    assert "4" not in timed.sessions | timed.open_sessions
    rows = timed.walk.house.query(
        "SELECT vendor FROM fact_session WHERE session_id = 'ahead' OR (vendor = 'smappee' AND session_id = '4')"
    )
    assert sorted(rows) == [("jedlix",), ("smappee",), ("zaptec",)]


def test_f48_a_session_that_ends_after_months_rebuilds_the_months_it_ran_through(timed: Timed) -> None:
    assert "for-months" in timed.open_sessions
    months = timed.walk.house.query(
        "SELECT month, sum(energy_kwh) > 0 FROM fact_energy WHERE session_id = 'for-months' GROUP BY month ORDER BY ALL"
    )
    assert months == [("2028-02", True), ("2028-03", True), ("2028-04", True)]
