"""The jobs: selections of the same assets with different configuration. Each run stays in one process.

On the command line one run does everything: it reads, builds the months it touched and publishes. On a schedule, `load`
reads, stages and builds all but the facts; the `touched_months` sensor then requests `build_months` and `publish`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.orchestration.checks import check_keys
from pipelines.orchestration.month_assets import MONTH_READING
from pipelines.orchestration.raw_assets import raw_keys
from pipelines.orchestration.table_specs import table_key
from pipelines.raw.questions import RECONCILED_MONTHS
from pipelines.tables.building import DIMENSIONS
from pipelines.tables.lakes import MONTHLY_FACTS
from warehouse.tables import COVERAGE, LATENESS, LOAD_AUDIT, OPEN_SESSION, TABLES, VENDOR_RADAR, VOCABULARY

LOAD = "load"
BUILD_MONTHS = "build_months"
PUBLISH = "publish"

ACCOUNT = "chargehouse/account-"
"""Prefix of the tag of a run that reads a vendor's account; the vendor's name follows it."""

BUILT_KEYS = (*(table_key(table) for table in TABLES if table not in MONTHLY_FACTS), dg.AssetKey("warehouse"))
"""What a job that does everything builds. The monthly facts are partitioned, so one run cannot select them with the
rest: the step `touched_month` builds them, and records each month as a partition."""

LOADED_KEYS = tuple(
    table_key(table)
    for table in TABLES
    if table.group == "staging"
    or table in (LOAD_AUDIT, LATENESS, VOCABULARY, OPEN_SESSION, COVERAGE, VENDOR_RADAR, *DIMENSIONS)
)
"""What a load builds: everything except the facts, the counts taken from them, and the publication."""

PUBLISHED_KEYS = tuple(key for key in BUILT_KEYS if key not in LOADED_KEYS)
FACT_KEYS = tuple(table_key(table) for table in MONTHLY_FACTS)


def build_jobs(vendors: Sequence[str]) -> list[UnresolvedAssetJobDefinition]:
    """The jobs over these vendors, all of which must be configured."""
    read = raw_keys(vendors)
    everything = _assets(*read, *BUILT_KEYS) | dg.AssetSelection.checks(*check_keys())
    jobs = [
        _job("refresh", "Pull everything new, rebuild the months it touches, publish.", everything, vendors),
        _job(
            "reconcile",
            "Read the last months again and heal what differs: late uploads, silent corrections. Rebuilds and "
            "publishes as well.",
            everything,
            vendors,
            configured("raw_log", {"kind": "reconcile", "months": RECONCILED_MONTHS}) if read else None,
        ),
        _job(
            "backfill",
            "Read the months from_month to to_month again, rebuild what they touch, and publish. Needs both months: "
            "open the launchpad (beside Materialize all) and enter them under raw_log.",
            everything,
            vendors,
            # Without the months the run fails and says so; with the default configuration it would be a refresh.
            configured("raw_log", {"kind": "backfill", "from_month": "", "to_month": ""}) if read else None,
        ),
        _job(
            "rebuild",
            "Rebuild everything from the raw log alone, without asking a vendor.",
            _assets(*BUILT_KEYS) | dg.AssetSelection.checks(*check_keys()),
            (),
            configured("staged_tables", {"from_raw": True}),
        ),
        _job(
            BUILD_MONTHS,
            "Build the selected months of the facts from what was read. Requested by the sensor touched_months.",
            _assets(*FACT_KEYS).without_checks(),
        ),
        _job(
            PUBLISH,
            "Run the checks on the tables, and publish them unless a blocking check fails. Requested by the sensor "
            "touched_months.",
            _assets(*PUBLISHED_KEYS) | dg.AssetSelection.checks(*check_keys()),
        ),
    ]
    if not read:
        return jobs
    return [
        *jobs,
        _job(
            LOAD,
            "Pull everything new into the staged tables and the dimensions; fails at the end if something could not be "
            "read. The sensor touched_months then requests the facts and the publication.",
            (_assets(*read, *LOADED_KEYS) - dg.AssetSelection.checks(*check_keys())),
            vendors,
            configured(VENDOR_RADAR.name, {"fails_on_gaps": True}),
        ),
        _job(
            "backfill_months",
            "Read the selected months again from every vendor, and rebuild them: one run for a range of months. The "
            "sensor touched_months then requests the publication.",
            _assets(MONTH_READING, *FACT_KEYS).without_checks(),
            vendors,
        ),
    ]


def configured(step: str, values: Mapping[str, object]) -> dict[str, Any]:
    """The run configuration of one step."""
    return {"ops": {step: {"config": dict(values)}}}


def account_tags(vendors: Sequence[str]) -> dict[str, str]:
    """The tags of a run that reads these vendors' accounts."""
    return {f"{ACCOUNT}{vendor}": "read" for vendor in vendors}


def _assets(*keys: dg.AssetKey) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*keys)


def _job(
    name: str,
    description: str,
    selection: dg.AssetSelection,
    vendors: Sequence[str] = (),
    configuration: dict[str, Any] | None = None,
) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=selection,
        description=description,
        executor_def=dg.in_process_executor,
        config=configuration,
        tags=account_tags(vendors),
    )
