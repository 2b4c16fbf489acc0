"""The tables between the raw log and the facts: typed, in one vocabulary, with one winning version per session."""

import dataframely as dy

from warehouse import columns


class StagedSession(dy.Schema):
    """One row per session ever read, in its winning version, whether it counts or not."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at", null_where="there is no readable start")
    scope = columns.text(
        "What was requested of the endpoint when this version was read: an installation, a park ..., or `all`.",
        nullable=False,
    )
    is_open = dy.Bool(nullable=False, description="Still running in this version.")
    reason = columns.text("Why the session cannot count. NULL if it can.")
    started_at = columns.instant("Plug-in time. NULL if unreadable.")
    ended_at = columns.instant("Plug-out time. NULL if unreadable, and while the session is running.")
    energy_kwh = dy.Float64(nullable=True, description="Energy as received. NULL if unknown.", metadata={"unit": "kWh"})
    energy_source = columns.text("`reported` or `meter_readings`. NULL if there is no energy.")
    charging_seconds = columns.seconds("Time in which energy was delivered.")
    status = columns.text("Status in the warehouse's vocabulary.", nullable=False)
    vendor_status = columns.text("Status in the vendor's own words.")
    station_id = columns.text("Station, if the session itself names it.")
    evse_uid = columns.text("EVSE, if the station is known only through it (GreenFlux).")
    connector_id = columns.text("Connector.")
    location_id = columns.text("Location, if the session names it, or a scope through which it was read.")
    located_at = columns.instant("As-of instant of the newest run whose scope named the location. NULL if none did.")
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
        description="The vendor's meter points as received; each time is the end of an interval. NULL if it gave none.",
        metadata={"unit": "kWh"},
    )
    meter_series_kind = columns.text(
        "`interval`: each point is the energy since the previous point; `undecided`: interval or cumulative. NULL if "
        "there is no series."
    )
    payload = columns.text("The object as JSON, kept only if the session cannot count.")
    version_at = columns.instant("The vendor's own timestamp of this version. NULL if it gives none.")
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
    country = columns.text("Country, ISO 3166-1 alpha-2.")
    latitude = dy.Float64(nullable=True, description="Latitude.", metadata={"unit": "degree"})
    longitude = dy.Float64(nullable=True, description="Longitude.", metadata={"unit": "degree"})
    time_zone = columns.text("IANA time zone.")
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
    deploy_state = columns.text("Life-cycle state in the vendor's words.")
    firmware_version = columns.text("Firmware version.")
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
        description="Connectors, each with its EVSE. An EVSE without connectors appears once, with connector_id NULL.",
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
    brand = columns.text("Make of the vehicle.")
    model = columns.text("Model of the vehicle.")
    version = columns.text("Version of the model.")
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
