"""Every table there is, in the order in which it is built."""

from warehouse.tables.dimensions import DimChargeStation, DimConnector, DimLocation, DimUser, DimVehicle
from warehouse.tables.facts import FactEnergy, FactSession, OpenSession, RejectedSession
from warehouse.tables.operations import (
    Coverage,
    Lateness,
    LoadAudit,
    MonthQuality,
    TouchedMonth,
    VendorRadar,
    Vocabulary,
)
from warehouse.tables.staging import (
    StagedChargeStation,
    StagedLocation,
    StagedSession,
    StagedUser,
    StagedVehicle,
)
from warehouse.tables.table import Table

STAGED_LOCATION = Table("staged_location", StagedLocation, "staging")
STAGED_CHARGE_STATION = Table("staged_charge_station", StagedChargeStation, "staging")
STAGED_VEHICLE = Table("staged_vehicle", StagedVehicle, "staging")
STAGED_USER = Table("staged_user", StagedUser, "staging")
STAGED_SESSION = Table("staged_session", StagedSession, "staging", partitioned_by_month=True)

FACT_SESSION = Table("fact_session", FactSession, "facts", partitioned_by_month=True)
FACT_ENERGY = Table("fact_energy", FactEnergy, "facts", partitioned_by_month=True)
REJECTED_SESSION = Table("rejected_session", RejectedSession, "facts", partitioned_by_month=True)
OPEN_SESSION = Table("open_session", OpenSession, "facts")

DIM_LOCATION = Table("dim_location", DimLocation, "dimensions")
DIM_CHARGE_STATION = Table("dim_charge_station", DimChargeStation, "dimensions")
DIM_CONNECTOR = Table("dim_connector", DimConnector, "dimensions")
DIM_VEHICLE = Table("dim_vehicle", DimVehicle, "dimensions")
DIM_USER = Table("dim_user", DimUser, "dimensions")

COVERAGE = Table("coverage", Coverage, "operations")
LOAD_AUDIT = Table("load_audit", LoadAudit, "operations")
LATENESS = Table("lateness", Lateness, "operations")
TOUCHED_MONTH = Table("touched_month", TouchedMonth, "operations")
MONTH_QUALITY = Table("month_quality", MonthQuality, "operations")
VOCABULARY = Table("vocabulary", Vocabulary, "operations")
VENDOR_RADAR = Table("vendor_radar", VendorRadar, "operations")

TABLES: tuple[Table, ...] = (
    STAGED_LOCATION,
    STAGED_CHARGE_STATION,
    STAGED_VEHICLE,
    STAGED_USER,
    STAGED_SESSION,
    FACT_SESSION,
    FACT_ENERGY,
    REJECTED_SESSION,
    OPEN_SESSION,
    DIM_LOCATION,
    DIM_CHARGE_STATION,
    DIM_CONNECTOR,
    DIM_VEHICLE,
    DIM_USER,
    COVERAGE,
    LOAD_AUDIT,
    LATENESS,
    VOCABULARY,
    TOUCHED_MONTH,
    MONTH_QUALITY,
    VENDOR_RADAR,
)
PUBLISHED_TABLES: tuple[Table, ...] = tuple(table for table in TABLES if table.is_published)
