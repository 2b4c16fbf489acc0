"""Columns that several tables share, each described once.

A name means the same thing, in the same unit, in every table that carries it: tables take their shared columns
from here, so two tables cannot disagree.
"""

import dataframely as dy


def vendor(*, primary_key: bool = False) -> dy.String:
    """The vendor's name, part of the key wherever there is one."""
    return dy.String(
        nullable=False,
        primary_key=primary_key,
        description="Charging platform that the row comes from: zaptec, jedlix, greenflux or smappee.",
    )


def session_id(*, primary_key: bool = False) -> dy.String:
    """The vendor's id of a session; the key together with the vendor."""
    return dy.String(
        nullable=False,
        primary_key=primary_key,
        description="The vendor's id of the session (GreenFlux: of the CDR). Unique within the vendor.",
    )


def month(of: str, *, null_where: str | None = None) -> dy.String:
    """The month of `of`, an instant, by which the rows are partitioned. `null_where` says in which rows it is NULL; by
    default in none.
    """
    null = f", NULL if {null_where}" if null_where else ""
    return dy.String(
        nullable=null_where is not None,
        description=f"Month (YYYY-MM) of {of} in the time zone CHARGEHOUSE_TIME_ZONE{null}. Partition column.",
    )


def instant(description: str, *, nullable: bool = True, primary_key: bool = False) -> dy.Datetime:
    """A UTC instant, in microseconds as Delta Lake keeps it."""
    return dy.Datetime(
        time_unit="us",
        time_zone="UTC",
        nullable=nullable,
        primary_key=primary_key,
        description=description,
        metadata={"unit": "UTC"},
    )


def seconds(description: str, *, nullable: bool = True) -> dy.Float64:
    """A length of time in seconds."""
    return dy.Float64(nullable=nullable, description=description, metadata={"unit": "s"})


def energy_kwh(description: str) -> dy.Decimal:
    """An energy in kWh, exact to the millionth, never negative; NULL where it is not known."""
    return dy.Decimal(14, 6, nullable=True, min=0, description=description, metadata={"unit": "kWh"})


def text(description: str, *, nullable: bool = True, primary_key: bool = False) -> dy.String:
    """A text column that is specific to one table."""
    return dy.String(nullable=nullable, primary_key=primary_key, description=description)


def count(description: str, *, nullable: bool = False) -> dy.Int64:
    """A number of rows."""
    return dy.Int64(nullable=nullable, description=description, metadata={"unit": "rows"})


def station_id() -> dy.String:
    """The vendor's id of the charge station of a session."""
    return dy.String(
        nullable=True,
        description=(
            "The vendor's id of the charge station (Zaptec: charger; Smappee: serial number as text; GreenFlux: the "
            "charge station whose EVSE the CDR names). NULL if unknown."
        ),
    )


def location_id() -> dy.String:
    """The vendor's id of the location of a session or a station."""
    return dy.String(
        nullable=True,
        description=(
            "The vendor's id of the location (Zaptec: installation; Smappee: charging park). NULL if unknown."
        ),
    )


def user_id(*, primary_key: bool = False) -> dy.String:
    """The pseudonym of a person; never NULL where it is the key."""
    description = "Keyed pseudonym of the person, the same wherever the vendor refers to that person."
    return dy.String(
        nullable=not primary_key,
        primary_key=primary_key,
        description=description if primary_key else f"{description} NULL if unknown or forgotten.",
    )


def valid_from(*, primary_key: bool = False) -> dy.Datetime:
    """The instant from which a version of an object is valid."""
    return instant(
        "Start of this version: the vendor's modification time, or if there is none, when it was first read.",
        nullable=False,
        primary_key=primary_key,
    )


def valid_to() -> dy.Datetime:
    """The instant until which a version of an object is valid."""
    return instant("Start of the next version. NULL for the newest.")


def is_current() -> dy.Bool:
    """Whether a version of an object is its newest."""
    return dy.Bool(nullable=False, description="True for the newest version, even of a removed or deprecated object.")


def version_at() -> dy.Datetime:
    """When a staged version of an object begins."""
    return instant(
        "Start of the version: the vendor's modification time, or if there is none, when it was first read.",
        nullable=False,
    )


def is_clocked() -> dy.Bool:
    """Whether a staged version of an object carries the vendor's own clock."""
    return dy.Bool(nullable=False, description="Whether version_at is the vendor's own timestamp.")


def version_read_at() -> dy.Datetime:
    """The now of the run that read a staged version."""
    return instant("As-of instant of the run that read this version.", nullable=False)


def requested_at() -> dy.Datetime:
    """When a staged version was requested, by the clock of this machine."""
    return instant("When the request that brought this version was sent.", nullable=False)
