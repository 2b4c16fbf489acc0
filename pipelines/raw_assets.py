"""The raw log as assets: one for each endpoint of each vendor, all read side by side in one step."""

from collections.abc import Iterator, Sequence
from typing import Literal

import dagster as dg

from pipelines.column_metadata import raw_metadata
from pipelines.extraction import extract
from pipelines.progress import Progress
from pipelines.questions import backfill, reconcile, refresh, run_instant
from pipelines.readings import Reading
from pipelines.settings import Settings
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.contract import Endpoint, Question

CHECK = "read_to_the_end"


class Reach(dg.Config):
    """What a run reads: everything new (refresh), the last `months` again too (reconcile), or some months (backfill).

    `as_of` is the run's now, ISO 8601; empty: the clock. `months` counts the current one.
    """

    kind: Literal["refresh", "reconcile", "backfill"] = "refresh"
    as_of: str = ""
    months: int = 3
    from_month: str = ""
    to_month: str = ""


def raw_key(endpoint: Endpoint) -> dg.AssetKey:
    return dg.AssetKey(["raw", endpoint.vendor, endpoint.name])


def raw_keys(vendors: Sequence[str]) -> list[dg.AssetKey]:
    """The raw assets of these vendors."""
    return [raw_key(endpoint) for vendor in vendors for endpoint in ENDPOINTS[vendor]]


def build_raw_assets(settings: Settings, progress: Progress) -> dg.AssetsDefinition:
    """One asset per endpoint, in one step, so that every vendor is read at its own pace at the same time."""
    endpoints = [endpoint for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]]

    @dg.multi_asset(
        name="raw_log",
        specs=[_spec(endpoint) for endpoint in endpoints],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK, asset=raw_key(endpoint), description="Every window asked of this list was read to its last page."
            )
            for endpoint in endpoints
        ],
        can_subset=True,
    )
    def raw_log(context: dg.AssetExecutionContext, config: Reach) -> Iterator[dg.MaterializeResult[None]]:
        selected = {key.path[1] for key in context.selected_asset_keys}
        vendors = [vendor for vendor in settings.vendors if vendor in selected]
        if not vendors:
            raise dg.Failure("No vendor is configured: set its variables (see .env.example).", allow_retries=False)
        question = _asked(config, settings)
        readings = extract(settings, vendors, question, context.run.run_id, progress.on_reading)
        for endpoint in endpoints:
            if raw_key(endpoint) in context.selected_asset_keys:
                yield _result(endpoint, [each for each in readings if _is_of(each, endpoint)])

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
        metadata={**raw_metadata(), "documentation": dg.MetadataValue.url(endpoint.documentation_url)},
        skippable=False,
    )


def _is_of(reading: Reading, endpoint: Endpoint) -> bool:
    return (reading.vendor, reading.endpoint) == (endpoint.vendor, endpoint.name)


def _result(endpoint: Endpoint, readings: Sequence[Reading]) -> dg.MaterializeResult[None]:
    failures = [reading for reading in readings if reading.state == "failed"]
    rows = sum(reading.rows_received for reading in readings)
    reasons = {reading.place: reading.message or "" for reading in failures}
    check = dg.AssetCheckResult(
        passed=not failures,
        check_name=CHECK,
        asset_key=raw_key(endpoint),
        description="; ".join(f"{place}: {reason}" for place, reason in reasons.items()) or "Nothing is missing.",
        metadata={"windows": len(readings), "failed_windows": len(failures)},
    )
    return dg.MaterializeResult(
        asset_key=raw_key(endpoint),
        metadata={
            "dagster/row_count": rows,
            "windows": len(readings),
            "requests": sum(reading.requests for reading in readings),
            "retries": sum(reading.retries for reading in readings),
            "bytes_received": sum(reading.bytes_received for reading in readings),
            "scopes": len({reading.scope for reading in readings}),
            "failed_windows": len(failures),
        },
        check_results=[check],
    )
