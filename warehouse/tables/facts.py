"""The two facts and the two tables that account for every session that is in neither."""

import dataframely as dy

from warehouse import columns


class FactSession(dy.Schema):
    """One row per closed, valid charging session."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at")
    started_at = columns.instant("Plug-in time reported by the vendor, to the millisecond.", nullable=False)
    ended_at = columns.instant(
        "Plug-out time reported by the vendor, to the millisecond. Equal to started_at for a session of zero length.",
        nullable=False,
    )
    connected_seconds = columns.seconds("Time from started_at to ended_at.", nullable=False)
    charging_seconds = columns.seconds(
        "Time in which energy was delivered (GreenFlux: total_time minus total_parking_time, which the vendor rounds, "
        "so that it may exceed connected_seconds). NULL if unknown."
    )
    idle_seconds = columns.seconds("connected_seconds minus charging_seconds, at least 0. NULL if unknown.")
    energy_kwh = columns.energy_kwh("Delivered energy. NULL if the vendor reports none.")
    energy_source = columns.text(
        "Source of energy_kwh: `reported` by the vendor, or `meter_readings` (stop minus start). NULL if there is no "
        "energy."
    )
    status = columns.text(
        "completed, forced_end, aborted, or unknown (the vendor's status word is not recognised).", nullable=False
    )
    vendor_status = columns.text("The vendor's own status word. NULL if the vendor gives none.")
    station_id = columns.station_id()
    evse_uid = columns.text(
        "The vendor's key of the EVSE (GreenFlux). With station_id and connector_id it identifies one connector. NULL "
        "if unknown."
    )
    connector_id = columns.text("The vendor's id of the connector, unique only inside its EVSE. NULL if unknown.")
    location_id = columns.location_id()
    vehicle_id = columns.text("The vendor's id of the vehicle. NULL if unknown.")
    user_id = columns.user_id()
    token_id = columns.text(
        "Keyed pseudonym of the card or token that authorised the session. NULL if unknown or forgotten."
    )
    cost_amount = dy.Decimal(
        14,
        4,
        nullable=True,
        description="Cost reported by the vendor (GreenFlux: total_cost of the CDR's newest version). NULL if unknown.",
        metadata={"unit": "currency"},
    )
    currency = columns.text("ISO 4217 code of the currency of cost_amount. NULL if unknown.")
    read_at = columns.instant("As-of instant of the run that first read this session.", nullable=False)


class FactEnergy(dy.Schema):
    """One row per session and 15-minute slot that overlaps [started_at, ended_at); one for a session of zero length.

    The slots of a session add up exactly to its energy_kwh.
    """

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    slot_start_at = columns.instant(
        "Start of the quarter-hour, aligned to :00, :15, :30 and :45.", nullable=False, primary_key=True
    )
    month = columns.month("slot_start_at")
    station_id = columns.station_id()
    location_id = columns.location_id()
    energy_kwh = columns.energy_kwh("Energy delivered in the slot. NULL if that of the session is NULL.")
    method = columns.text(
        "`metered` if the vendor gave a usable meter series: the energy of each metered interval is spread evenly over "
        "that interval. `even` otherwise: the energy of the session is spread evenly from start to end.",
        nullable=False,
    )


class RejectedSession(dy.Schema):
    """One row per session that does not count, with the first reason that applies."""

    vendor = columns.vendor(primary_key=True)
    session_id = dy.String(
        nullable=False,
        primary_key=True,
        description="The vendor's id of the session; if it has none, `no-id-` followed by a fingerprint of the object.",
    )
    month = columns.month("started_at", null_where="there is no readable start")
    reason = columns.text(
        "In order of precedence: void (voided), replaced (by another session), negative_energy, ends_before_start, "
        "implausible_energy (over 5 MWh, or over 1 MW on average for a minute or more), unreadable (no id, no start or "
        "not parseable).",
        nullable=False,
    )
    started_at = columns.instant("Plug-in time. NULL if unreadable.")
    ended_at = columns.instant("Plug-out time. NULL if unreadable.")
    energy_kwh = dy.Float64(
        nullable=True,
        description="Energy as received; must not be counted. NULL if unreadable.",
        metadata={"unit": "kWh"},
    )
    station_id = columns.station_id()
    location_id = columns.location_id()
    payload = columns.text("The object as JSON, as stored in the raw log. Contains no personal data.", nullable=False)
    read_at = columns.instant("As-of instant of the run that first read this session.", nullable=False)


class OpenSession(dy.Schema):
    """One row per session still running at the last refresh."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    started_at = columns.instant("Plug-in time reported by the vendor.", nullable=False)
    station_id = columns.station_id()
    location_id = columns.location_id()
    vendor_status = columns.text("The vendor's own status word. NULL if the vendor gives none.")
    seen_at = columns.instant("As-of instant of the run that last saw it running.", nullable=False)
