"""The raw log as assets: one for each endpoint of each vendor, all read side by side in one step."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from pipelines.orchestration.abandoned_runs import hold_run
from pipelines.orchestration.column_metadata import raw_metadata
from pipelines.orchestration.previews import table_preview
from pipelines.personal_data import without_pseudonyms
from pipelines.raw.extraction import extract
from pipelines.raw.progress import Progress
from pipelines.raw.questions import RECONCILED_MONTHS, backfill, reconcile, refresh, run_instant
from pipelines.raw.raw_log import RawLog
from pipelines.raw.readings import Reading
from pipelines.settings import Settings
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.contract import Endpoint, Question

CHECK = "read_to_the_end"

ACCOUNTS = "vendor_accounts"
"""The pool of the runs that read vendors. One step reads all vendors side by side, so there is one pool: a second run
waits in the queue, whichever vendors it reads."""

PREVIEWED = ("object_id", "scope", "vendor_started", "vendor_ended", "vendor_modified", "requested_at")


class Reach(dg.Config):
    """What a run reads. The launchpad of the web UI shows the descriptions."""

    kind: Literal["refresh", "reconcile", "backfill"] = Field(
        "refresh",
        description="refresh: everything new; reconcile: also the last months again; backfill: the given months again.",
    )
    as_of: str = Field("", description="The run's as-of instant, ISO 8601. Empty: now.")
    months: int = Field(RECONCILED_MONTHS, description="For reconcile: how many months, including the current one.")
    from_month: str = Field("", description="For backfill: the first month, such as 2026-01.")
    to_month: str = Field("", description="For backfill: the last month, such as 2026-03.")


def raw_key(endpoint: Endpoint) -> dg.AssetKey:
    """The key of an endpoint's raw asset."""
    return dg.AssetKey(["raw", endpoint.vendor, endpoint.name])


def raw_keys(vendors: Sequence[str]) -> list[dg.AssetKey]:
    """The raw assets of these vendors."""
    return [raw_key(endpoint) for vendor in vendors for endpoint in ENDPOINTS[vendor]]


def build_raw_assets(settings: Settings, progress: Progress) -> dg.AssetsDefinition:
    """One asset per endpoint, in one step, so that all vendors are read at the same time, each at its own pace."""
    endpoints = [endpoint for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]]

    @dg.multi_asset(
        name="raw_log",
        specs=[_spec(endpoint) for endpoint in endpoints],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK, asset=raw_key(endpoint), description="Every requested window of this list was read to the end."
            )
            for endpoint in endpoints
        ],
        can_subset=True,
        pool=ACCOUNTS,
    )
    def raw_log(
        context: dg.AssetExecutionContext, config: Reach
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        hold_run(settings.data, context.run.run_id)
        if context.selected_asset_keys:
            readings = _read(context, config)
            for endpoint in endpoints:
                if raw_key(endpoint) in context.selected_asset_keys:
                    yield _result(endpoint, readings, _preview(settings, endpoint, readings))
            return
        # The web UI can run a check alone: no vendor is read then.
        recorded = RawLog(settings.data).readings()
        for endpoint in endpoints:
            if dg.AssetCheckKey(raw_key(endpoint), CHECK) in context.selected_asset_check_keys:
                yield _recorded_verdict(endpoint, recorded)

    def _read(context: dg.AssetExecutionContext, config: Reach) -> Sequence[Reading]:
        selected = [vendor for vendor in ENDPOINTS if vendor in {key.path[1] for key in context.selected_asset_keys}]
        vendors = [vendor for vendor in settings.vendors if vendor in selected]
        if not vendors:
            raise dg.Failure(
                f"Not configured: {', '.join(selected)}. Set the variables (see .env.example).", allow_retries=False
            )
        return extract(settings, vendors, _asked(config, settings), context.run.run_id, progress)

    return raw_log


def _asked(reach: Reach, settings: Settings) -> Question:
    as_of = run_instant(reach.as_of)
    match reach.kind:
        case "refresh":
            return refresh(settings, as_of)
        case "reconcile":
            return reconcile(settings, as_of, reach.months)
        case "backfill":
            return backfill(settings, as_of, reach.from_month, reach.to_month)


def _spec(endpoint: Endpoint) -> dg.AssetSpec:
    return dg.AssetSpec(
        raw_key(endpoint),
        description=f"{endpoint.description} Append-only; one row per object and reading.",
        group_name=f"raw_{endpoint.vendor}",
        kinds={"dlt", "parquet"},
        metadata={**raw_metadata(endpoint), "documentation": dg.MetadataValue.url(endpoint.documentation_url)},
        skippable=False,
    )


def _is_of(reading: Reading, endpoint: Endpoint) -> bool:
    return (reading.vendor, reading.endpoint) == (endpoint.vendor, endpoint.name)


def raw_metadata_of(endpoint: Endpoint, readings: Sequence[Reading]) -> dict[str, Any]:
    """The metadata of one endpoint's readings in a run."""
    mine = [each for each in readings if _is_of(each, endpoint)]
    if not mine:
        return {"rows_received": 0, "windows": 0}
    return {
        "rows_received": sum(reading.rows_received for reading in mine),
        "as_of": mine[0].as_of.isoformat(),
        "windows": len(mine),
        "failed_windows": sum(reading.state == "failed" for reading in mine),
        "scopes": len({reading.scope for reading in mine}),
        "requests": sum(reading.requests for reading in mine),
        "retries": sum(reading.retries for reading in mine),
        "bytes_received": sum(reading.bytes_received for reading in mine),
    }


def _preview(settings: Settings, endpoint: Endpoint, readings: Sequence[Reading]) -> dict[str, Any]:
    """Keys and times of the first rows received, and nothing else about them; nothing of a list of persons' own
    objects."""
    if endpoint.is_personal or not any(reading.rows_received for reading in readings if _is_of(reading, endpoint)):
        return {}
    newest = RawLog(settings.data).files(endpoint.table)[-1]
    return {"preview": table_preview(pl.scan_parquet(newest.path).select(PREVIEWED))}


def _result(endpoint: Endpoint, readings: Sequence[Reading], shown: dict[str, Any]) -> dg.MaterializeResult[None]:
    told = raw_metadata_of(endpoint, readings)
    return dg.MaterializeResult(
        asset_key=raw_key(endpoint), metadata={**told, **shown}, check_results=[_verdict(endpoint, readings)]
    )


def _verdict(endpoint: Endpoint, readings: Sequence[Reading], introduction: str = "") -> dg.AssetCheckResult:
    told = raw_metadata_of(endpoint, readings)
    faults = _faults(endpoint, readings)
    return dg.AssetCheckResult(
        passed=not faults,
        check_name=CHECK,
        asset_key=raw_key(endpoint),
        description=introduction + ("; ".join(faults) or _all_well(told["windows"])),
        metadata={"windows": told["windows"], "failed_windows": told.get("failed_windows", 0)},
    )


def _recorded_verdict(endpoint: Endpoint, recorded: pl.DataFrame) -> dg.AssetCheckResult:
    """The verdict on the list by the last run that read its vendor."""
    of_vendor = recorded.filter(pl.col("vendor") == endpoint.vendor)
    last = of_vendor.filter(pl.col("run_id") == of_vendor["run_id"].last()) if of_vendor.height else of_vendor
    readings = [Reading(**row) for row in last.iter_rows(named=True)]
    if not readings:
        return _verdict(endpoint, readings, f"{endpoint.vendor} was never read. ")
    return _verdict(endpoint, readings, f"At the last reading, as of {readings[0].as_of:%Y-%m-%d %H:%M:%S} UTC: ")


def _faults(endpoint: Endpoint, readings: Sequence[Reading]) -> list[str]:
    """What kept the list from being read to its end. A list that was not read at all, because another one that names
    its scopes could not be read, is not complete either."""
    failed = [reading for reading in readings if reading.vendor == endpoint.vendor and reading.state == "failed"]
    if any(_is_of(reading, endpoint) for reading in readings):
        reasons = {each.place: each.message or "" for each in failed if _is_of(each, endpoint)}
        return [without_pseudonyms(f"{place}: {reason}") for place, reason in reasons.items()]
    others = sorted({f"{each.vendor} {each.endpoint}" for each in failed})
    return [f"This list was not requested, because others could not be read: {', '.join(others)}."] if others else []


def _all_well(windows: int) -> str:
    if not windows:
        return "This list was not requested."
    return f"All {windows} windows were read to their last page." if windows > 1 else "It was read to its last page."
