"""The vendor radar as an asset: what the vendors are about to change or remove, and its check."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg
import polars as pl

from pipelines.orchestration.abandoned_runs import lake_held_by_run
from pipelines.orchestration.previews import markdown_table
from pipelines.orchestration.step_causes import failed_readings, incomplete
from pipelines.orchestration.table_specs import table_key, table_spec
from pipelines.raw.raw_log import RawLog
from pipelines.raw.readings import run_as_of
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes
from pipelines.vendors.announcements import ANNOUNCEMENTS, EndpointInUse, endpoints_in_use
from transforms.radar import HORIZON, vendor_radar
from warehouse.tables import COVERAGE, STAGED_SESSION, VENDOR_RADAR

CHECK = "nothing_about_to_disappear"
MOST_NAMED = 5

_ENDPOINTS_SCHEMA = {
    "vendor": pl.String,
    "endpoint": pl.String,
    "api_version": pl.String,
    "announced": pl.String,
    "announced_source_url": pl.String,
    "kept_months": pl.Int64,
}


class Strictness(dg.Config):
    """Whether this step, the last of a load, fails when the run could not read something. A run that publishes fails
    after publishing instead."""

    fails_on_gaps: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the radar shows, for people: `fault` is the severity, or None if there is nothing to do."""

    fault: dg.AssetCheckSeverity | None
    description: str
    numbers: Mapping[str, int]


def build_radar(settings: Settings, lakes: Lakes) -> dg.AssetsDefinition:
    """The radar, which is built after the coverage, with its check in the same step."""

    @dg.multi_asset(
        name=VENDOR_RADAR.name,
        specs=[table_spec(VENDOR_RADAR, deps=[table_key(COVERAGE), table_key(STAGED_SESSION)])],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=table_key(VENDOR_RADAR),
                description=(
                    f"No vendor removes unread data within {HORIZON.days} days, and none has deprecated an endpoint "
                    "that we read. Error: rows will be lost, or an endpoint ends. Warning: an endpoint is deprecated."
                ),
            )
        ],
    )
    def radar(context: dg.AssetExecutionContext, config: Strictness) -> Iterator[dg.MaterializeResult[None]]:
        with lake_held_by_run(settings.data, context.run.run_id):
            rows = build_vendor_radar(settings, lakes, context.run.run_id)
        yield _result(rows, verdict(rows))
        failures = failed_readings(lakes, context.run.run_id) if config.fails_on_gaps else []
        if failures:
            raise incomplete("Not everything could be read.", failures)

    return radar


def build_vendor_radar(settings: Settings, lakes: Lakes, run_id: str) -> pl.DataFrame:
    """Write the radar from what was read and staged so far; returns its rows. The caller holds the lake's lock."""
    readings = RawLog(settings.data).readings()
    # A rebuild needs no account: without one, the endpoints that were last in use count as in use.
    in_use = endpoints_in_use(settings) if settings.vendors else _last_in_use(lakes)
    rows = vendor_radar(
        _endpoints(in_use),
        readings,
        lakes.published.scan(COVERAGE).collect(),
        lakes.staging.scan(STAGED_SESSION)
        .filter(pl.col("ended_at").is_not_null())
        .select("vendor", "ended_at")
        .collect(),
        run_as_of(readings, run_id),
        settings.time_zone,
    )
    lakes.published.replace(VENDOR_RADAR, rows)
    return rows


def verdict(radar: pl.DataFrame) -> Verdict:
    """The faults in the radar's rows, the worst first, and the totals."""
    sentences: list[str] = []
    is_error = False
    for row in radar.iter_rows(named=True):
        place = f"{row['vendor']} {row['endpoint']}"
        if row["months_at_risk"]:
            is_error = True
            sentences.insert(0, _months_sentence(place, row))
        more = f"; see {row['retirement_url']}" if row["retirement_url"] else ""
        if row["sunset_at"] is not None:
            is_error = is_error or row["sunset_at"] < row["seen_at"] + HORIZON
            sentences.append(f"{place} ends on {row['sunset_at']:%Y-%m-%d}{more}.")
        elif row["deprecated_at"] is not None:
            sentences.append(f"{place} is deprecated as of {row['deprecated_at']:%Y-%m-%d}{more}.")
    numbers = {
        name: int(radar[name].sum() or 0)
        for name in ("months_at_risk", "rows_at_risk", "months_lost", "sessions_leaving", "sessions_only_here")
    }
    numbers["endpoints_deprecated"] = radar.filter(
        pl.col("deprecated_at").is_not_null() | pl.col("sunset_at").is_not_null()
    ).height
    if not sentences:
        only_here = numbers["sessions_only_here"]
        return Verdict(
            None,
            f"No unread data disappears within {HORIZON.days} days. {only_here:,} sessions are older than their vendor "
            "promises to keep them; they are kept here.",
            numbers,
        )
    left_out = len(sentences) - MOST_NAMED
    told = [*sentences[:MOST_NAMED], *([f"And {left_out} more."] if left_out > 0 else [])]
    severity = dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN
    return Verdict(severity, " ".join(told), numbers)


def _months_sentence(place: str, row: Mapping[str, object]) -> str:
    rows = row["rows_at_risk"]
    about = "an unknown number of rows" if rows is None else f"about {rows:,} rows"
    return (
        f"{place}: the vendor removes {row['months_at_risk']} incompletely read month(s) within {HORIZON.days} days "
        f"({about}); run `chargehouse refresh`, or `chargehouse backfill --vendor {row['vendor']}` for the months that "
        "`chargehouse status` lists."
    )


def _result(rows: pl.DataFrame, found: Verdict) -> dg.MaterializeResult[None]:
    check = dg.AssetCheckResult(
        passed=found.fault is None,
        check_name=CHECK,
        asset_key=table_key(VENDOR_RADAR),
        severity=found.fault or dg.AssetCheckSeverity.WARN,
        description=found.description,
        metadata=dict(found.numbers),
    )
    return dg.MaterializeResult(
        asset_key=table_key(VENDOR_RADAR),
        metadata={"dagster/row_count": rows.height, **found.numbers, "radar": dg.MetadataValue.md(_as_table(rows))},
        check_results=[check],
    )


def _as_table(rows: pl.DataFrame) -> str:
    columns = [
        *("vendor", "endpoint", "api_version", "deprecated_at", "sunset_at", "oldest_available_at"),
        *("months_at_risk", "rows_at_risk", "sessions_only_here"),
    ]
    return markdown_table(rows.select(columns), rows.height, instants="%Y-%m-%d")


def _last_in_use(lakes: Lakes) -> Iterator[EndpointInUse]:
    """The endpoints on the radar as last written."""
    known = lakes.published.scan(VENDOR_RADAR).select("vendor", "endpoint", "api_version").collect()
    for vendor, endpoint, version in known.iter_rows():
        yield EndpointInUse(vendor, endpoint, version, ANNOUNCEMENTS.get((vendor, endpoint)))


def _endpoints(in_use: Iterable[EndpointInUse]) -> pl.DataFrame:
    rows = [
        {
            "vendor": endpoint.vendor,
            "endpoint": endpoint.name,
            "api_version": endpoint.api_version,
            **(
                {}
                if endpoint.announcement is None
                else {
                    "announced": endpoint.announcement.text,
                    "announced_source_url": endpoint.announcement.source_url,
                    "kept_months": endpoint.announcement.kept_months,
                }
            ),
        }
        for endpoint in in_use
    ]
    return pl.DataFrame(rows, schema=_ENDPOINTS_SCHEMA)
