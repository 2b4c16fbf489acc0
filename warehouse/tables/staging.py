"""The tables between the raw log and the facts: typed, in one vocabulary, with one winning version per session."""

import dataframely as dy

from warehouse import columns


class StagedSession(dy.Schema):
    """One row per session ever read, in its winning version, whether it counts or not."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at", null_where="there is no readable start")
    scope = columns.text("What the endpoint was asked for when this version was read.", nullable=False)
    is_open = dy.Bool(nullable=False, description="Still running in this version.")
    reason = columns.text("Why the session cannot count. NULL where it can.")
    started_at = columns.instant("Plug-in, where readable.")
    ended_at = columns.instant("Plug-out, where there is one.")
    energy_kwh = dy.Float64(nullable=True, description="Energy as claimed.", metadata={"unit": "kWh"})
    energy_source = columns.text("reported or meter_readings.")
    charging_seconds = columns.seconds("Time in which energy was delivered.")
    status = columns.text("The warehouse's word.", nullable=False)
    vendor_status = columns.text("The vendor's word.")
    station_id = columns.text("Station, where the session itself names it.")
    evse_uid = columns.text("The EVSE, where the station is known only through it (GreenFlux).")
    connector_id = columns.text("Connector.")
    location_id = columns.text("Location, where the session or its scope names it.")
    vehicle_id = columns.text("Vehicle.")
    user_id = columns.user_id()
    token_id = columns.text("Keyed pseudonym of the token.")
    cost_amount = dy.Float64(nullable=True, description="Cost.", metadata={"unit": "currency"})
    currency = columns.text("ISO 4217 code.")
    meter_series = dy.List(
        dy.Struct(
            {
                "at": dy.Datetime(time_unit="us", time_zone="UTC", nullable=True),
                "energy_kwh": dy.Float64(nullable=True),
            },
            nullable=True,
        ),
        nullable=True,
        description="The vendor's meter points as given: the time is the end of the interval. NULL where it gave none.",
        metadata={"unit": "kWh"},
    )
    meter_series_kind = columns.text(
        "`interval`: each point is the energy since the one before; `undecided`: that or cumulative. NULL: no series."
    )
    payload = columns.text("The object as JSON, kept only where the session cannot count.")
    version_at = columns.instant("The vendor's own clock of this version. NULL where it has none.")
    requested_at = columns.requested_at()
    read_at = columns.version_read_at()
    first_read_at = columns.instant("As-of instant of the run that first read the session.", nullable=False)
    content_hash = dy.Int64(nullable=False, description="Fingerprint of the whole object.")


class StagedLocation(dy.Schema):
    """One row per distinct version of a location ever read."""

    vendor = columns.vendor(primary_key=True)
    location_id = columns.text("Location.", nullable=False, primary_key=True)
    name = columns.text("Name.")
    city = columns.text("City.")
    country = columns.text("ISO 3166-1 alpha-2.")
    latitude = dy.Float64(nullable=True, description="Latitude.", metadata={"unit": "degree"})
    longitude = dy.Float64(nullable=True, description="Longitude.", metadata={"unit": "degree"})
    time_zone = columns.text("IANA zone.")
    version_at = columns.version_at()
    is_clocked = columns.is_clocked()
    read_at = columns.version_read_at()
    requested_at = columns.requested_at()


class StagedChargeStation(dy.Schema):
    """One row per distinct version of a charge station ever read, with its EVSEs and connectors."""

    vendor = columns.vendor(primary_key=True)
    station_id = columns.text("Station.", nullable=False, primary_key=True)
    location_id = columns.text("Location.")
    name = columns.text("Name.")
    deploy_state = columns.text("Life cycle word.")
    firmware_version = columns.text("Firmware.")
    connectors = dy.List(
        dy.Struct(
            {
                "evse_uid": dy.String(nullable=True),
                "evse_id": dy.String(nullable=True),
                "connector_id": dy.String(nullable=True),
                "standard": dy.String(nullable=True),
                "power_type": dy.String(nullable=True),
                "max_power_kw": dy.Float64(nullable=True),
            },
            nullable=True,
        ),
        nullable=True,
        description="Its connectors, each with its EVSE; an EVSE without connectors stands once, connector_id NULL.",
    )
    version_at = columns.version_at()
    is_clocked = columns.is_clocked()
    read_at = columns.version_read_at()
    requested_at = columns.requested_at()


class StagedVehicle(dy.Schema):
    """One row per distinct version of a vehicle ever read."""

    vendor = columns.vendor(primary_key=True)
    vehicle_id = columns.text("Vehicle.", nullable=False, primary_key=True)
    user_id = columns.user_id()
    brand = columns.text("Make.")
    model = columns.text("Model.")
    version = columns.text("Model version.")
    version_at = columns.version_at()
    is_clocked = columns.is_clocked()
    read_at = columns.version_read_at()
    requested_at = columns.requested_at()


class StagedUser(dy.Schema):
    """One row per distinct version of a user ever read."""

    vendor = columns.vendor(primary_key=True)
    user_id = columns.user_id(primary_key=True)
    created_at = columns.instant("When the vendor created the user.")
    version_at = columns.version_at()
    is_clocked = columns.is_clocked()
    read_at = columns.version_read_at()
    requested_at = columns.requested_at()
