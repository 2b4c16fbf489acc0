"""Smappee: sessions of a charging park, closed and open.

Sessions are filtered by their start and carry no modification time. `from` and `to` are epoch milliseconds.

Known lies: `serialNumber` is sometimes a number, sometimes text; `energy` is not in the vendor's document, but takes
precedence over the meter readings where it is present; `duration` and the field `range` have no known unit and are not
read; only the status STOPPED is final, whatever `to` says.
"""

import polars as pl

from transforms.instants import instant_from_epoch_milliseconds
from transforms.numbers import finite_number
from transforms.objects import decode_objects
from transforms.staged_sessions import ParsedValue, SessionMeaning, staged_sessions
from transforms.texts import scoped_id, text_or_null

SESSION = pl.Struct(
    {
        "id": pl.String,
        "serialNumber": pl.String,
        "connector": pl.String,
        "rfid": pl.String,
        "userId": pl.String,
        "from": pl.String,
        "to": pl.String,
        "status": pl.String,
        "startReading": pl.String,
        "stopReading": pl.String,
        "energy": pl.String,
    }
)

_ESSENTIALS = ("id", "from", "to", "status", "startReading", "stopReading", "energy")

CLOSED_STATUS = "STOPPED"
RUNNING_STATUSES = ("INITIAL", "STARTED", "CHARGING", "SUSPENDED", "STOPPING")
# Registers count whole watt-hours or finer; a float's remainder below a milliwatt-hour is not energy.
_READING_DECIMALS = 6


def _parsed_epoch_instant(text: pl.Expr) -> ParsedValue:
    return ParsedValue(instant_from_epoch_milliseconds(text), text_or_null(text).is_not_null())


def _parsed_energy() -> ParsedValue:
    """`energy` where present, else the difference of the registers; without both registers there is no energy."""
    energy, start, stop = (text_or_null(pl.col(name)) for name in ("energy", "startReading", "stopReading"))
    difference_kwh = (finite_number(stop) - finite_number(start)).round(_READING_DECIMALS)
    has_energy = energy.is_not_null()
    unreadable_register = (start.is_not_null() & finite_number(start).is_null()) | (
        stop.is_not_null() & finite_number(stop).is_null()
    )
    return ParsedValue(
        value=pl.when(has_energy).then(finite_number(energy)).otherwise(difference_kwh),
        is_given=has_energy | unreadable_register,
    )


def stage_sessions(raw: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Stages the sessions of either endpoint as StagedSession. Only a STOPPED session is closed."""
    is_closed = (pl.col("status").str.to_uppercase() == CLOSED_STATUS).fill_null(False)
    meaning = SessionMeaning(
        session_id=pl.col("id"),
        started=_parsed_epoch_instant(pl.col("from")),
        ended=_parsed_epoch_instant(pl.col("to")),
        energy=_parsed_energy(),
        energy_source=pl.when(text_or_null(pl.col("energy")).is_not_null())
        .then(pl.lit("reported"))
        .otherwise(pl.lit("meter_readings")),
        is_closed=is_closed,
        status=pl.when(is_closed).then(pl.lit("completed")).otherwise(pl.lit("unknown")),
        vendor_status=pl.col("status"),
        station_id=pl.col("serialNumber"),
        connector_id=pl.col("connector"),
        scope_location_id=scoped_id(pl.col("scope"), "park"),
        user_id=pl.col("userId"),
        token_id=pl.col("rfid"),
    )
    return staged_sessions(raw, decode_objects(raw.get_column("payload"), SESSION, _ESSENTIALS), meaning, time_zone)
