"""The two facts and the two tables that account for every session that is in neither."""

import dataframely as dy

from warehouse import columns


class FactSession(dy.Schema):
    """One row per closed, valid charging session."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at")
    started_at = columns.instant("Plug-in as the vendor gives it, to the millisecond.", nullable=False)
    ended_at = columns.instant(
        "Plug-out as the vendor gives it, to the millisecond. Equal to started_at for a session of no length.",
        nullable=False,
    )
    connected_seconds = columns.seconds("Time from started_at to ended_at.", nullable=False)
    charging_seconds = columns.seconds(
        "Time in which energy was delivered (GreenFlux: total_time less total_parking_time). NULL where unknown."
    )
    idle_seconds = columns.seconds(
        "connected_seconds less charging_seconds, and no less than none. NULL where unknown."
    )
    energy_kwh = columns.energy_kwh("Delivered energy. NULL where the vendor gives none.")
    energy_source = columns.text(
        "Where energy_kwh comes from: `reported` by the vendor, or `meter_readings` (stop less start). "
        "NULL where there is no energy."
    )
    status = columns.text("completed, forced_end, aborted, or unknown (a word nobody has seen).", nullable=False)
    vendor_status = columns.text("The vendor's own status word. NULL where the vendor has none.")
    station_id = columns.station_id()
    evse_uid = columns.text(
        "The vendor's key of the EVSE (GreenFlux). With station_id and connector_id it names one connector. NULL where "
        "unknown."
    )
    connector_id = columns.text("The vendor's id of the connector, unique only inside its EVSE. NULL where unknown.")
    location_id = columns.location_id()
    vehicle_id = columns.text("The vendor's id of the vehicle. NULL where unknown.")
    user_id = columns.user_id()
    token_id = columns.text(
        "Keyed pseudonym of the card or token that authorised the session. NULL where unknown or forgotten."
    )
    cost_amount = dy.Decimal(
        14,
        4,
        nullable=True,
        description="Cost as the vendor gives it (GreenFlux: total_cost of the newest issue of the CDR).",
        metadata={"unit": "currency"},
    )
    currency = columns.text("ISO 4217 code of cost_amount.")
    read_at = columns.instant("As-of instant of the run that first read this session.", nullable=False)


class FactEnergy(dy.Schema):
    """One row per session and 15-minute slot that overlaps [started_at, ended_at); one slot for a session of no length.

    The slots of a session add up to its energy_kwh exactly.
    """

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    slot_start_at = columns.instant(
        "Beginning of the quarter-hour, aligned to :00, :15, :30 and :45.", nullable=False, primary_key=True
    )
    month = columns.month("slot_start_at")
    station_id = columns.station_id()
    location_id = columns.location_id()
    energy_kwh = columns.energy_kwh("Energy delivered in the slot. NULL where the session's is NULL.")
    method = columns.text(
        "`metered` where the vendor gave a usable series: each metered interval keeps its energy, spread evenly inside "
        "itself. `even` otherwise: spread evenly from start to end.",
        nullable=False,
    )


class RejectedSession(dy.Schema):
    """One row per session that does not count, with the first reason that applies."""

    vendor = columns.vendor(primary_key=True)
    session_id = dy.String(
        nullable=False,
        primary_key=True,
        description="The vendor's id of the session; where it has none, `no-id-` and a fingerprint of the object.",
    )
    month = columns.month("started_at", null_where="there is no readable start")
    reason = columns.text(
        "In order of precedence: void (voided), replaced (by another session), negative_energy, ends_before_start, "
        "implausible_energy (over 5 MWh, or over 1 MW on average in a minute or more), unreadable (no id, no start or "
        "not parseable).",
        nullable=False,
    )
    started_at = columns.instant("Plug-in, where readable.")
    ended_at = columns.instant("Plug-out, where readable.")
    energy_kwh = dy.Float64(
        nullable=True, description="Energy as claimed, where readable; not to be counted.", metadata={"unit": "kWh"}
    )
    station_id = columns.station_id()
    location_id = columns.location_id()
    payload = columns.text("The object as kept in the raw log, as JSON. Holds no personal data.", nullable=False)
    read_at = columns.instant("As-of instant of the run that first read this session.", nullable=False)


class OpenSession(dy.Schema):
    """One row per session still running at the last refresh."""

    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    started_at = columns.instant("Plug-in as the vendor gives it.", nullable=False)
    station_id = columns.station_id()
    location_id = columns.location_id()
    vendor_status = columns.text("The vendor's own status word.")
    seen_at = columns.instant("As-of instant of the run that last saw it running.", nullable=False)
