"""A small world made by hand: one site of each vendor, to which a test adds the sessions it is about."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.readings import epoch_milliseconds
from sandbox.timeline import Payload
from sandbox.world import World

INSTALLATION = "house-1"
CHARGER = "charger-1"
JEDLIX_USER = "user-1"
VEHICLE = "vehicle-1"
HOME = "home-1"
PLACE = "place-1"
STATION = "station-1"
EVSE = "evse-1"
PARK = "8812"

SESSIONS = {"zaptec": "sessions", "jedlix": "sessions", "greenflux": "cdrs", "smappee": "sessions"}
_KEYS = {"charge_stations": "charge_station_id", "installations": "Id", "chargers": "Id"}


class Scene:
    """A world and methods that change it. Every object is visible from its last instant on, unless `at` says otherwise.

    Further fields of a payload are passed by name and override those made up here.
    """

    def __init__(self, since: datetime) -> None:
        self.world = World()
        self._since = since
        self.installation(INSTALLATION)
        self.charger(CHARGER, INSTALLATION)
        self.show("jedlix", "users", {"id": JEDLIX_USER, "createdAt": iso(since)}, since)
        vehicle = {"id": VEHICLE, "userId": JEDLIX_USER, "createdAt": iso(since), "details": {"brand": "Kia"}}
        self.show("jedlix", "vehicles", vehicle, since)
        self.show("jedlix", "charging_locations", _home(since), since)
        self.place(PLACE)
        self.station(STATION, EVSE)
        self.world.show("smappee", "service_locations", PARK, {"serviceLocationId": int(PARK)}, since)

    def show(self, vendor: str, endpoint: str, payload: Payload, at: datetime, scope: str | None = None) -> None:
        """Show any object from an instant on."""
        key = _KEYS.get(endpoint, "id")
        self.world.show(vendor, endpoint, str(payload[key]), payload, at, scope)

    def installation(self, identity: str, at: datetime | None = None, **fields: Any) -> None:
        payload = {"Id": identity, "Name": f"Installation {identity}", "City": "Oslo", "CountryCode": "NO", **fields}
        self.show("zaptec", "installations", payload, at or self._since)

    def charger(self, identity: str, installation: str, at: datetime | None = None, **fields: Any) -> None:
        payload = {"Id": identity, "Name": f"Charger {identity}", "InstallationId": installation, **fields}
        self.show("zaptec", "chargers", payload, at or self._since)

    def place(self, identity: str, at: datetime | None = None, **fields: Any) -> None:
        """A GreenFlux location, modified at `at`."""
        clock = iso(at) if at else None
        payload = {"id": identity, "name": f"Place {identity}", "city": "Utrecht", "country": "NLD", **fields}
        payload |= {"created": iso(self._since), "modified": clock}
        self.show("greenflux", "locations", payload, at or self._since)

    def station(self, identity: str, evse: str, at: datetime | None = None, **fields: Any) -> None:
        """A GreenFlux charge station with one EVSE, modified at `at`."""
        connectors = [{"id": "1", "standard": "IEC_62196_T2", "power_type": "AC_3_PHASE", "max_electric_power": 22080}]
        payload = {
            "charge_station_id": identity,
            "location_id": PLACE,
            "name": f"Station {identity}",
            "deploy_state": "Production",
            "evses": [{"uid": evse, "evse_id": f"NL*TST*{evse}", "connectors": connectors}],
            "created": iso(self._since),
            "modified": iso(at) if at else None,
            **fields,
        }
        self.show("greenflux", "charge_stations", payload, at or self._since)

    def zaptec(
        self,
        identity: str,
        started_at: datetime,
        ended_at: datetime,
        kwh: Any = 10.0,
        at: datetime | None = None,
        **fields: Any,
    ) -> None:
        """An archived session."""
        payload = {
            "id": identity,
            "chargerId": CHARGER,
            "startDateTime": iso(started_at),
            "endDateTime": iso(ended_at),
            "energy": kwh,
            "voided": False,
            "aborted": False,
            **fields,
        }
        self.show("zaptec", "sessions", payload, at or max(started_at, ended_at))

    def jedlix(
        self,
        identity: str,
        started_at: datetime,
        ended_at: datetime | None,
        kwh: Any = 10.0,
        at: datetime | None = None,
        **fields: Any,
    ) -> None:
        """A session; without an end, it is running."""
        payload = {
            "id": identity,
            "userId": JEDLIX_USER,
            "vehicleId": VEHICLE,
            "chargingLocationId": HOME,
            "status": "Active" if ended_at is None else "Complete",
            "startTime": iso(started_at),
            "endTime": None if ended_at is None else iso(ended_at),
            "energyCharged": None if ended_at is None else kwh,
            **fields,
        }
        self.show("jedlix", "sessions", payload, at or max(started_at, ended_at or started_at))

    def greenflux(
        self,
        identity: str,
        started_at: datetime,
        ended_at: datetime,
        kwh: Any = 10.0,
        at: datetime | None = None,
        evse: str = EVSE,
        **fields: Any,
    ) -> None:
        """A CDR, issued at `at` or else a minute after its end."""
        issued_at = at or max(started_at, ended_at) + timedelta(minutes=1)
        payload = {
            "id": identity,
            "start_date_time": iso(started_at),
            "stop_date_time": iso(ended_at),
            "auth_id": "04A1B2C3",
            "location": {"id": PLACE, "evses": [{"uid": evse, "connectors": [{"id": "1"}]}]},
            "currency": "EUR",
            "total_cost": 3.5,
            "total_energy": kwh,
            "last_updated": iso(issued_at),
            **fields,
        }
        self.show("greenflux", "cdrs", payload, issued_at)

    def smappee(
        self,
        identity: int,
        started_at: datetime,
        ended_at: datetime | None,
        kwh: Any = 10.0,
        at: datetime | None = None,
        park: str = PARK,
        **fields: Any,
    ) -> None:
        """A session of a park; without an end, it is running."""
        payload: Payload = {
            "id": identity,
            "serialNumber": "5820004711",
            "connector": 1,
            "from": epoch_milliseconds(started_at),
            "status": "CHARGING",
            "startReading": 100.0,
        }
        if ended_at is not None:
            payload |= {"to": epoch_milliseconds(ended_at), "status": "STOPPED", "energy": kwh}
        payload |= fields
        self.show("smappee", "sessions", payload, at or max(started_at, ended_at or started_at), park)

    def newest(self, vendor: str, identity: str) -> Payload:
        """The newest version of a session, shown or not."""
        return self.world.shelf(vendor, SESSIONS[vendor]).timelines[identity].versions[-1].payload

    def again(self, vendor: str, identity: str, at: datetime, **changes: Any) -> None:
        """Show a changed version of a session. Only a CDR carries the time of the change."""
        clock = {"last_updated": iso(at)} if vendor == "greenflux" else {}
        payload = {**self.newest(vendor, identity), **clock, **changes}
        self.world.show(vendor, SESSIONS[vendor], identity, payload, at)

    def on_the_wire(self, vendor: str, endpoint: str, identity: str, written: str, instead: str) -> None:
        """Send the newest version of an object with a part of its JSON written in another way, valid or not."""
        version = self.world.shelf(vendor, endpoint).timelines[identity].versions[-1]
        assert written.encode() in version.encoded, f"nothing to write otherwise: {written}"
        version.encoded = version.encoded.replace(written.encode(), instead.encode())


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def _home(since: datetime) -> Payload:
    return {
        "id": HOME,
        "coordinates": {"latitude": 52.1, "longitude": 5.1},
        "address": {"city": "Utrecht", "country": "NL", "street": "Voorbeeldkade", "houseNumber": "1"},
        "createdAt": iso(since),
        "updatedAt": iso(since),
    }
