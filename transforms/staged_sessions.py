"""The part of staging a session that is the same for every vendor: id, reason, month, payload, provenance."""

from dataclasses import dataclass, field

import polars as pl

from transforms.fingerprints import id_or_fingerprint
from transforms.instants import instant_from_iso
from transforms.months import month_of
from transforms.numbers import finite_number
from transforms.reasons import first_reason
from transforms.texts import text_or_null
from warehouse.tables.staging import StagedSession


def _absent() -> pl.Expr:
    return pl.lit(None)


def _never() -> pl.Expr:
    return pl.lit(False)


@dataclass(frozen=True)
class ParsedValue:
    """The parsed value of a field, NULL where its text cannot be read, and whether the vendor gave the field at all."""

    value: pl.Expr
    is_given: pl.Expr

    @property
    def is_unreadable(self) -> pl.Expr:
        """Given, but not readable."""
        return self.is_given & self.value.is_null()


def parsed_iso_instant(text: pl.Expr) -> ParsedValue:
    """An instant written in ISO 8601; empty text is no value."""
    return ParsedValue(instant_from_iso(text), text_or_null(text).is_not_null())


def parsed_number(text: pl.Expr) -> ParsedValue:
    """A number; empty text is no value."""
    return ParsedValue(finite_number(text), text_or_null(text).is_not_null())


@dataclass(frozen=True, kw_only=True)
class SessionMeaning:
    """The meaning of one vendor's session object, as expressions over its decoded fields and the raw columns.

    `is_closed` tells a finished session from a running one. `started`, `ended` and `energy` become started_at, ended_at
    and energy_kwh; `is_void` and `is_replaced` are two of the reasons; `scope_location_id` is the location that the
    scope names. The other names are those of StagedSession.
    """

    session_id: pl.Expr
    started: ParsedValue
    ended: ParsedValue
    energy: ParsedValue
    is_closed: pl.Expr
    status: pl.Expr
    energy_source: pl.Expr = field(default_factory=lambda: pl.lit("reported"))
    is_void: pl.Expr = field(default_factory=_never)
    is_replaced: pl.Expr = field(default_factory=_never)
    charging_seconds: pl.Expr = field(default_factory=_absent)
    vendor_status: pl.Expr = field(default_factory=_absent)
    station_id: pl.Expr = field(default_factory=_absent)
    evse_uid: pl.Expr = field(default_factory=_absent)
    connector_id: pl.Expr = field(default_factory=_absent)
    location_id: pl.Expr = field(default_factory=_absent)
    scope_location_id: pl.Expr = field(default_factory=_absent)
    vehicle_id: pl.Expr = field(default_factory=_absent)
    user_id: pl.Expr = field(default_factory=_absent)
    token_id: pl.Expr = field(default_factory=_absent)
    cost_amount: pl.Expr = field(default_factory=_absent)
    currency: pl.Expr = field(default_factory=_absent)
    meter_series: pl.Expr = field(default_factory=_absent)
    meter_series_kind: pl.Expr = field(default_factory=_absent)
    version_at: pl.Expr = field(default_factory=_absent)


def staged_sessions(raw: pl.DataFrame, decoded: pl.DataFrame, meaning: SessionMeaning, time_zone: str) -> pl.DataFrame:
    """Turns raw rows and their decoded fields into a StagedSession frame, one row per raw row, in the same order.

    A session whose object cannot be decoded keeps the id that the raw log has for it.
    """
    objects = raw.hstack(decoded)
    read = objects.select(
        "vendor",
        "scope",
        "payload",
        "requested_at",
        "content_hash",
        "is_decodable",
        own_id=text_or_null(pl.coalesce(meaning.session_id, "object_id")),
        started_at=meaning.started.value,
        # The end of a running session is a forecast at best.
        ended_at=pl.when(meaning.is_closed).then(meaning.ended.value),
        energy_kwh=meaning.energy.value,
        energy_source=meaning.energy_source,
        is_closed=meaning.is_closed.fill_null(False),
        is_misread=meaning.started.is_unreadable | meaning.ended.is_unreadable | meaning.energy.is_unreadable,
        is_void=meaning.is_void,
        is_replaced=meaning.is_replaced,
        charging_seconds=meaning.charging_seconds,
        status=pl.when("is_decodable").then(meaning.status).otherwise(pl.lit("unknown")),
        vendor_status=text_or_null(meaning.vendor_status),
        station_id=text_or_null(meaning.station_id),
        evse_uid=text_or_null(meaning.evse_uid),
        connector_id=text_or_null(meaning.connector_id),
        location_id=text_or_null(pl.coalesce(meaning.location_id, meaning.scope_location_id)),
        located_at=pl.when(meaning.scope_location_id.is_not_null()).then("as_of"),
        vehicle_id=text_or_null(meaning.vehicle_id),
        user_id=text_or_null(meaning.user_id),
        token_id=text_or_null(meaning.token_id),
        cost_amount=meaning.cost_amount,
        currency=text_or_null(meaning.currency),
        meter_series=meaning.meter_series,
        meter_series_kind=meaning.meter_series_kind,
        version_at=meaning.version_at,
        read_at="as_of",
        first_read_at="as_of",
    )
    is_unreadable = (
        ~pl.col("is_decodable")
        | pl.col("own_id").is_null()
        | pl.col("started_at").is_null()
        | (pl.col("is_closed") & pl.col("ended_at").is_null())
        | pl.col("is_misread")
    )
    reason = first_reason(
        is_void=pl.col("is_void"),
        is_replaced=pl.col("is_replaced"),
        is_closed=pl.col("is_closed"),
        is_unreadable=is_unreadable,
    )
    judged = read.with_columns(
        id_or_fingerprint(read, pl.col("own_id")).alias("session_id"),
        reason=reason,
        month=month_of(pl.col("started_at"), time_zone),
        is_open=pl.col("is_decodable") & ~pl.col("is_closed"),
        energy_source=pl.when(pl.col("energy_kwh").is_not_null()).then("energy_source"),
        meter_series_kind=pl.when(pl.col("meter_series").is_not_null()).then("meter_series_kind"),
    ).with_columns(payload=pl.when(pl.col("reason").is_not_null()).then("payload"))
    return StagedSession.cast(judged.select(StagedSession.column_names()))
