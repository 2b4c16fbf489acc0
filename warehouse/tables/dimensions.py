"""The dimensions, with history: one row per version of an object.

Half-open validity: a version holds in [valid_from, valid_to). An object's versions never overlap.
"""

import dataframely as dy

from warehouse import columns


class DimLocation(dy.Schema):
    """One row per version of a location (Zaptec installation, Jedlix charging location, GreenFlux location)."""

    vendor = columns.vendor(primary_key=True)
    location_id = columns.text("The vendor's id of the location.", nullable=False, primary_key=True)
    name = columns.text("Name of the location. NULL if the vendor gives none.")
    city = columns.text("City. NULL if the vendor gives none.")
    country = columns.text("Country, ISO 3166-1 alpha-2. NULL if unknown.")
    latitude = dy.Float64(
        nullable=True,
        description="Latitude, WGS 84. Rounded to 2 decimals if the location is a home (Jedlix). NULL if unknown.",
        metadata={"unit": "degree"},
    )
    longitude = dy.Float64(
        nullable=True,
        description="Longitude, WGS 84. Rounded to 2 decimals if the location is a home (Jedlix). NULL if unknown.",
        metadata={"unit": "degree"},
    )
    time_zone = columns.text("IANA time zone of the location. NULL if the vendor gives none.")
    valid_from = columns.valid_from(primary_key=True)
    valid_to = columns.valid_to()
    is_current = columns.is_current()


class DimChargeStation(dy.Schema):
    """One row per version of a charge station (Zaptec charger, GreenFlux charge station)."""

    vendor = columns.vendor(primary_key=True)
    station_id = columns.text("The vendor's id of the charge station.", nullable=False, primary_key=True)
    location_id = columns.location_id()
    name = columns.text("Name of the station. NULL if the vendor gives none.")
    deploy_state = columns.text(
        "Life-cycle state in the vendor's words (GreenFlux: Stock, Production, Deprecated). NULL if unknown."
    )
    firmware_version = columns.text("Firmware version as the vendor writes it. NULL if the vendor gives none.")
    valid_from = columns.valid_from(primary_key=True)
    valid_to = columns.valid_to()
    is_current = columns.is_current()


class DimConnector(dy.Schema):
    """One row per version of a connector (GreenFlux). A connector's id is unique only inside its EVSE."""

    vendor = columns.vendor(primary_key=True)
    station_id = columns.text("The vendor's id of the charge station.", nullable=False, primary_key=True)
    evse_uid = columns.text(
        "The vendor's key of the EVSE inside the platform (OCPI: uid).", nullable=False, primary_key=True
    )
    evse_id = columns.text("Public id of the EVSE (OCPI: evse_id); its uid if it has none.", nullable=False)
    connector_id = columns.text("Id of the connector inside its EVSE.", nullable=False, primary_key=True)
    standard = columns.text("Connector standard in OCPI's terms. NULL if the vendor gives none.")
    power_type = columns.text("AC_1_PHASE, AC_3_PHASE or DC. NULL if the vendor gives none.")
    max_power_kw = dy.Float64(
        nullable=True,
        description="Maximum power of the connector. NULL if the vendor gives none or zero.",
        metadata={"unit": "kW"},
    )
    valid_from = columns.valid_from(primary_key=True)
    valid_to = columns.valid_to()
    is_current = columns.is_current()


class DimVehicle(dy.Schema):
    """One row per version of a vehicle (Jedlix)."""

    vendor = columns.vendor(primary_key=True)
    vehicle_id = columns.text("The vendor's id of the vehicle.", nullable=False, primary_key=True)
    user_id = columns.user_id()
    brand = columns.text("Make of the vehicle. NULL if the vendor gives none.")
    model = columns.text("Model of the vehicle. NULL if the vendor gives none.")
    version = columns.text("Version of the model. NULL if the vendor gives none.")
    valid_from = columns.valid_from(primary_key=True)
    valid_to = columns.valid_to()
    is_current = columns.is_current()


class DimUser(dy.Schema):
    """One row per version of a user (Jedlix), identified only by pseudonym."""

    vendor = columns.vendor(primary_key=True)
    user_id = columns.user_id(primary_key=True)
    created_at = columns.instant("When the vendor created the user. NULL if unknown.")
    valid_from = columns.valid_from(primary_key=True)
    valid_to = columns.valid_to()
    is_current = columns.is_current()
