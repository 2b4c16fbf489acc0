"""Counting what is wrong in a month, against a plain count in Python."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.quality import (
    Places,
    month_quality,
    places,
    repeated_sessions,
    sessions_on_connectors_in_use,
    slot_sums,
)
from warehouse.tables.facts import FactEnergy, FactSession
from warehouse.tables.operations import MonthQuality
from warehouse.tables.staging import StagedChargeStation, StagedLocation

Row = Mapping[str, Any]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_SESSION: Row = {
    "vendor": "greenflux",
    "month": "2026-03",
    "started_at": NOON,
    "ended_at": NOON + timedelta(hours=1),
    "energy_kwh": Decimal("10.5"),
    "status": "completed",
    "station_id": "S1",
    "connector_id": "1",
    "location_id": "L1",
}
_SLOT: Row = {"vendor": "greenflux", "month": "2026-03", "slot_start_at": NOON, "method": "even"}


def sessions(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame([{**_SESSION, **row} for row in rows], schema=FactSession.create_empty().schema)


def slots(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame([{**_SLOT, **row} for row in rows], schema=FactEnergy.create_empty().schema)


def known(*evses: tuple[str, str, str | None]) -> Places:
    """The stations, EVSEs and connectors given; all stations at location L1."""
    stations: dict[str, list[dict[str, str | None]]] = {}
    for station_id, evse_uid, connector_id in evses:
        stations.setdefault(station_id, []).append({"evse_uid": evse_uid, "connector_id": connector_id})
    rows = [
        {"vendor": "greenflux", "station_id": station_id, "connectors": connectors}
        for station_id, connectors in stations.items()
    ]
    return places(
        pl.DataFrame(rows, schema=StagedChargeStation.create_empty().schema),
        pl.DataFrame([{"vendor": "greenflux", "location_id": "L1"}], schema=StagedLocation.create_empty().schema),
    )


def measured(
    session_rows: pl.DataFrame,
    slot_rows: pl.DataFrame | None = None,
    earlier: pl.DataFrame | None = None,
    strays: pl.DataFrame | None = None,
    rejected: Iterable[tuple[str | None, str]] = (),
) -> list[dict[str, Any]]:
    energy = slots() if slot_rows is None else slot_rows
    frame = month_quality(
        session_rows,
        sessions() if earlier is None else earlier,
        slot_sums(energy.lazy()),
        slots() if strays is None else strays,
        repeated_sessions(session_rows.lazy()),
        pl.DataFrame(list(rejected), schema={"month": pl.String, "vendor": pl.String}, orient="row"),
        known(("S1", "E1", "1")),
    )
    MonthQuality.validate(frame)
    return frame.to_dicts()


def test_a_month_in_order_has_nothing_to_count_but_itself() -> None:
    [row] = measured(
        sessions({"session_id": "a"}),
        slots({"session_id": "a", "energy_kwh": Decimal("10.4")}, {"session_id": "a", "energy_kwh": Decimal("0.1")}),
    )
    assert (row.pop("month"), row.pop("vendor"), row.pop("sessions")) == ("2026-03", "greenflux", 1)
    assert row.pop("energy_kwh") == Decimal("10.5")
    assert row.pop("newest_end_at") == NOON + timedelta(hours=1)
    assert set(row.values()) == {0}


def test_the_newest_end_of_a_month_is_that_of_its_last_session() -> None:
    [row] = measured(sessions({"session_id": "a"}, {"session_id": "b", "ended_at": NOON + timedelta(hours=9)}))
    assert row["newest_end_at"] == NOON + timedelta(hours=9)


def test_slots_that_miss_by_a_millionth_are_seen_and_do_not_cancel_out() -> None:
    [row] = measured(
        sessions({"session_id": "more"}, {"session_id": "less"}, {"session_id": "exact"}),
        slots(
            {"session_id": "more", "energy_kwh": Decimal("10.500001")},
            {"session_id": "less", "energy_kwh": Decimal("10.499999")},
            {"session_id": "exact", "energy_kwh": Decimal("10.5")},
        ),
    )
    assert (row["sessions_slots_differ"], row["slots_difference_kwh"]) == (2, Decimal("0.000002"))


def test_a_session_without_energy_has_slots_without_energy() -> None:
    rows = sessions({"session_id": "a", "energy_kwh": None}, {"session_id": "b", "energy_kwh": None})
    [row] = measured(rows, slots({"session_id": "a"}, {"session_id": "b", "energy_kwh": Decimal("1")}))
    assert (row["sessions_slots_differ"], row["slots_difference_kwh"]) == (1, Decimal(1))


def test_a_session_without_any_slot_is_seen_also_where_its_energy_is_nothing() -> None:
    [row] = measured(sessions({"session_id": "a", "energy_kwh": Decimal("0")}))
    assert (row["sessions_slots_differ"], row["slots_difference_kwh"]) == (1, 0)


def test_slots_without_their_session_count_in_the_month_of_the_slot() -> None:
    stray = {"session_id": "ghost", "month": "2026-04", "energy_kwh": Decimal("2")}
    march, april = measured(sessions({"session_id": "a", "energy_kwh": None}), strays=slots(stray, stray))
    assert march["sessions_slots_differ"] == 0
    assert (april["month"], april["sessions"], april["sessions_slots_differ"]) == ("2026-04", 0, 1)
    assert april["slots_difference_kwh"] == 4


def test_ids_are_repeated_within_a_vendor_only() -> None:
    rows = sessions(
        {"session_id": "a"}, {"session_id": "a", "month": "2026-04"}, {"session_id": "b"}, {"session_id": "c"}
    )
    other = sessions({"session_id": "b", "vendor": "smappee"})
    assert repeated_sessions(pl.concat([rows, other]).lazy()).rows() == [("greenflux", "a")]
    counted = {(row["vendor"], row["month"]): row["sessions_repeated"] for row in measured(pl.concat([rows, other]))}
    assert counted == {("greenflux", "2026-03"): 1, ("greenflux", "2026-04"): 1, ("smappee", "2026-03"): 0}
    # These two hash alike.
    crossed = sessions({"session_id": "smappee"}, {"session_id": "greenflux", "vendor": "smappee"})
    assert repeated_sessions(crossed.lazy()).is_empty()


def test_a_session_that_stands_twice_is_not_in_its_own_way() -> None:
    [row] = measured(sessions({"session_id": "a"}, {"session_id": "a"}))
    assert (row["sessions_overlapping"], row["sessions_repeated"]) == (0, 1)


def test_what_runs_into_the_month_is_in_the_way_of_what_begins_in_it() -> None:
    earlier = sessions({"session_id": "x", "month": "2026-02", "started_at": NOON - timedelta(days=5)})
    [row] = measured(sessions({"session_id": "a"}), earlier=earlier)
    assert row["sessions_overlapping"] == 1


def test_a_session_of_no_length_is_in_nobody_s_way_and_others_are_in_its() -> None:
    rows = sessions({"session_id": "b", "ended_at": NOON}, {"session_id": "a"})
    found = sessions_on_connectors_in_use(rows, known(("S1", "E1", "1")).connectors)
    assert found["session_id"].to_list() == ["b"]


def test_what_begins_as_another_ends_is_not_in_its_way_whatever_they_are_called() -> None:
    hours = {"b": (0, 1), "a": (1, 2), "c": (5, 7), "d": (6, 7)}
    rows = sessions(
        *(
            {"session_id": name, "started_at": NOON + timedelta(hours=begin), "ended_at": NOON + timedelta(hours=end)}
            for name, (begin, end) in hours.items()
        )
    )
    found = sessions_on_connectors_in_use(rows, known(("S1", "E1", "1")).connectors)
    assert found["session_id"].to_list() == ["d"]


def test_without_station_or_connector_nothing_is_in_the_way() -> None:
    rows = [{"session_id": name, "connector_id": None} for name in "ab"]
    rows += [{"session_id": name, "station_id": None} for name in "cd"]
    assert measured(sessions(*rows))[0]["sessions_overlapping"] == 0


def test_as_many_may_charge_as_there_are_evses_with_a_connector_of_that_id() -> None:
    rows = sessions(*({"session_id": name} for name in "abc"))
    two = known(("S1", "E1", "1"), ("S1", "E2", "1"), ("S1", "E2", "2"), ("S2", "E3", None))
    assert sessions_on_connectors_in_use(rows, two.connectors).rows() == [("greenflux", "c")]
    one = known(("S1", "E1", "1"), ("S1", "E2", "2"))
    assert sorted(sessions_on_connectors_in_use(rows, one.connectors)["session_id"]) == ["b", "c"]


def test_a_place_of_many_versions_is_one_place() -> None:
    versions = [{"vendor": "greenflux", "location_id": "L1", "name": name} for name in ("before", "after")]
    shown = places(
        pl.DataFrame(
            [{**version, "station_id": "S1"} for version in versions], schema=StagedChargeStation.create_empty().schema
        ),
        pl.DataFrame(versions, schema=StagedLocation.create_empty().schema),
    )
    assert (shown.stations.height, shown.locations.height) == (1, 1)


def test_references_that_lead_nowhere_are_counted() -> None:
    [row] = measured(
        sessions(
            {"session_id": "a"},
            {"session_id": "b", "station_id": "S9", "location_id": "L9"},
            {"session_id": "c", "station_id": None, "location_id": None},
        )
    )
    assert (row["sessions_without_station"], row["sessions_without_location"]) == (2, 2)
    assert row["sessions_naming_no_location"] == 1


def test_rejected_sessions_without_a_month_have_a_row_of_their_own() -> None:
    rejected = [("2026-03", "greenflux"), (None, "smappee"), (None, "smappee")]
    both = sessions({"session_id": "a", "status": "unknown"}, {"session_id": "b", "status": "aborted"})
    found = measured(both, rejected=rejected)
    counted = [(row["month"], row["vendor"], row["sessions"], row["rejected"]) for row in found]
    assert counted == [("2026-03", "greenflux", 2, 1), ("none", "smappee", 0, 2)]
    assert [row["sessions_unknown_status"] for row in found] == [1, 0]


_QUARTERS = st.integers(0, 12)
_MANY_SESSIONS = st.lists(
    st.tuples(
        st.sampled_from(["S1", "S2", None]),
        st.sampled_from(["1", "2", None]),
        _QUARTERS,
        st.integers(0, 6),
        st.one_of(st.none(), st.integers(0, 3_000_000)),
        st.one_of(st.none(), st.integers(0, 3_000_000)),
    ),
    max_size=24,
)
_EVSES = st.lists(
    st.tuples(st.sampled_from(["S1", "S2"]), st.sampled_from(["E1", "E2", "E3"]), st.sampled_from(["1", "2"]))
)


def _kwh(micro_kwh: int | None) -> Decimal | None:
    return None if micro_kwh is None else Decimal(micro_kwh).scaleb(-6)


@settings(max_examples=150)
@given(drawn=_MANY_SESSIONS, evses=_EVSES)
def test_overlaps_are_those_of_a_plain_count(drawn: list[tuple[Any, ...]], evses: list[tuple[str, str, str]]) -> None:
    rows = [
        {
            "session_id": f"{number:02d}",
            "station_id": station_id,
            "connector_id": connector_id,
            "started_at": NOON + begins * timedelta(minutes=15),
            "ended_at": NOON + (begins + lasts) * timedelta(minutes=15),
        }
        for number, (station_id, connector_id, begins, lasts, _, _) in enumerate(drawn)
    ]
    room = Counter((station_id, connector_id) for station_id, _, connector_id in set(evses))

    def is_in_use(row: dict[str, Any]) -> bool:
        place = (row["station_id"], row["connector_id"])
        running = [
            other
            for other in rows
            if (other["station_id"], other["connector_id"]) == place
            and (other["started_at"], other["session_id"]) < (row["started_at"], row["session_id"])
            and other["ended_at"] > row["started_at"]
        ]
        return None not in place and len(running) >= max(1, room[place])

    found = sessions_on_connectors_in_use(sessions(*rows), known(*evses).connectors)
    assert sorted(found["session_id"]) == [row["session_id"] for row in rows if is_in_use(row)]


@settings(max_examples=100)
@given(drawn=_MANY_SESSIONS)
def test_the_sums_of_slots_are_those_of_a_plain_count(drawn: list[tuple[Any, ...]]) -> None:
    session_rows: list[Row] = []
    slot_rows: list[Row] = []
    expected, difference = 0, Decimal(0)
    for number, (*_, energy, slot) in enumerate(drawn):
        session_rows.append({"session_id": f"{number:02d}", "connector_id": None, "energy_kwh": _kwh(energy)})
        parts = [None] if slot is None else [slot // 2, slot - slot // 2]
        slot_rows.extend({"session_id": f"{number:02d}", "energy_kwh": _kwh(part)} for part in parts)
        expected += energy != slot
        difference += abs((_kwh(energy) or Decimal(0)) - (_kwh(slot) or Decimal(0)))
    found = measured(sessions(*session_rows), slots(*slot_rows))
    assert sum(row["sessions_slots_differ"] for row in found) == expected
    assert sum((row["slots_difference_kwh"] for row in found), Decimal(0)) == difference
