"""The oracle: what each published table must hold after refreshes from a world at given instants.

Plain Python and exact arithmetic over the world itself, not over what its APIs answered. The oracle assumes that each
refresh reads everything that is new to it, whatever its age.
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.judgement.dimensions import Pseudonym, dimensions
from sandbox.judgement.energy import SLOT_MILLISECONDS, micro, slots
from sandbox.judgement.rejection import rejection
from sandbox.judgement.seen import installations_of_chargers, seen_versions
from sandbox.judgement.session import Session, read_session
from sandbox.readings import text
from sandbox.timeline import BEGINNING_OF_TIME
from sandbox.world import SESSION_ENDPOINTS, World

Row = dict[str, Any]


def plain(vendor: str, kind: str, value: str) -> str:
    """No pseudonym: the vendor's own id, unchanged."""
    return value


def truth(
    world: World,
    refreshes: list[datetime],
    time_zone: str = "UTC",
    *,
    first_read_at: datetime | None = None,
    pseudonym: Pseudonym = plain,
) -> dict[str, list[Row]]:
    """The rows of every published table after refreshes at `refreshes` (ascending), by table, in no particular order.

    `time_zone` is the zone in which a month begins. `first_read_at` is where the first refresh began to read sessions
    and CDRs, on each endpoint's own clock; None for the beginning of time. `pseudonym` maps (vendor, `user` or `token`,
    id) to what is published in its place. Instants are in UTC, energies and costs Decimal, seconds and degrees float. A
    rejected session has None for its id if it has none, and None for its month if it has no readable start.
    Raises ValueError if `refreshes` is empty or not ascending.
    """
    if not refreshes or sorted(refreshes) != refreshes:
        raise ValueError("refreshes must be ascending and not empty")
    tables: dict[str, list[Row]] = {
        "fact_session": [],
        "fact_energy": [],
        "rejected_session": [],
        "open_session": [],
        **dimensions(world, refreshes, pseudonym),
    }
    calendar = _Calendar(time_zone)
    stations = _stations_of_evses(world, refreshes)
    for session in _sessions(world, refreshes, first_read_at):
        station_id = stations.get(session.evse_uid) if session.vendor == "greenflux" else session.station_id
        reason = rejection(session)
        if reason is not None:
            tables["rejected_session"].append(
                {
                    "vendor": session.vendor,
                    "session_id": session.session_id,
                    "month": None if session.started_at is None else calendar.month(session.started_at),
                    "reason": reason,
                }
            )
        elif session.closed:
            tables["fact_session"].append(_fact(session, station_id, calendar, pseudonym))
            tables["fact_energy"].extend(_energy(session, station_id, calendar))
        else:
            tables["open_session"].append(
                {
                    "vendor": session.vendor,
                    "session_id": session.session_id,
                    "started_at": session.started_at,
                    "station_id": station_id,
                    "location_id": session.location_id,
                    "vendor_status": session.vendor_status,
                    "seen_at": refreshes[-1],
                }
            )
    return tables


class _Calendar:
    """Months in one zone."""

    def __init__(self, time_zone: str) -> None:
        zone = ZoneInfo(time_zone)
        self.month_of_slot = lru_cache(maxsize=200_000)(
            lambda slot: datetime.fromtimestamp(slot / 1000, zone).strftime("%Y-%m")
        )
        self._zone = zone

    def month(self, instant: datetime) -> str:
        local = instant.astimezone(self._zone)
        return f"{local.year:04d}-{local.month:02d}"


def _sessions(world: World, refreshes: list[datetime], first_read_at: datetime | None) -> list[Session]:
    installations = installations_of_chargers(world, refreshes)
    sessions: list[Session] = []
    for vendor, endpoint in SESSION_ENDPOINTS.items():
        for timeline in world.timelines(vendor, endpoint):
            versions = seen_versions(timeline, refreshes, vendor, endpoint, first_read_at)
            if not versions:
                continue
            newest = versions[-1]
            scope = timeline.scope
            if vendor == "zaptec" and scope is None:
                scope = installations.get(text(newest.payload.get("chargerId")))
            sessions.append(read_session(vendor, newest.payload, scope))
    return sessions


def _stations_of_evses(world: World, refreshes: list[datetime]) -> dict[str | None, str | None]:
    """The GreenFlux charge station of every EVSE that any refresh saw; if there were several, the newest."""
    found: dict[str | None, tuple[datetime, str | None]] = {}
    for timeline in world.timelines("greenflux", "charge_stations"):
        for seen in seen_versions(timeline, refreshes, "greenflux", "charge_stations"):
            dated = (seen.clock or BEGINNING_OF_TIME, text(seen.payload.get("charge_station_id")))
            for evse in seen.payload.get("evses") or []:
                uid = text(evse.get("uid"))
                if uid is not None and (uid not in found or found[uid][0] <= dated[0]):
                    found[uid] = dated
    return {uid: station for uid, (_, station) in found.items()}


def _fact(session: Session, station_id: str | None, calendar: _Calendar, pseudonym: Pseudonym) -> Row:
    assert session.started_at is not None
    assert session.ended_at is not None
    connected = (session.ended_at - session.started_at).total_seconds()
    charging = session.charging_seconds
    cost = session.cost_amount
    return {
        "vendor": session.vendor,
        "session_id": session.session_id,
        "month": calendar.month(session.started_at),
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "connected_seconds": connected,
        "charging_seconds": charging,
        "idle_seconds": None if charging is None else max(0.0, connected - charging),
        "energy_kwh": None if session.energy_kwh is None else _kwh(micro(session.energy_kwh)),
        "energy_source": session.energy_source,
        "status": session.status,
        "vendor_status": session.vendor_status,
        "station_id": station_id,
        "evse_uid": session.evse_uid,
        "connector_id": session.connector_id,
        "location_id": session.location_id,
        "vehicle_id": session.vehicle_id,
        "user_id": None if session.user_id is None else pseudonym(session.vendor, "user", session.user_id),
        "token_id": None if session.token_id is None else pseudonym(session.vendor, "token", session.token_id),
        "cost_amount": None if cost is None else cost.quantize(Decimal("0.0001"), ROUND_HALF_UP),
        "currency": session.currency,
    }


def _energy(session: Session, station_id: str | None, calendar: _Calendar) -> list[Row]:
    shared = {
        "vendor": session.vendor,
        "session_id": session.session_id,
        "station_id": station_id,
        "location_id": session.location_id,
    }
    by_slot = slots(session)
    rows: list[Row] = []
    for position, energy in enumerate(by_slot.micro_kwh):
        slot = by_slot.first + position * SLOT_MILLISECONDS
        rows.append(
            {
                **shared,
                "slot_start_at": datetime.fromtimestamp(slot // 1000, UTC),
                "month": calendar.month_of_slot(slot),
                "energy_kwh": None if energy is None else _kwh(energy),
                "method": by_slot.method,
            }
        )
    return rows


def _kwh(micro_kwh: int) -> Decimal:
    return Decimal(micro_kwh).scaleb(-6)
