"""Staged sessions to quarter-hours, by Chargehouse and by DuckDB: `python -m benchmarks.quarter_hours VERB FOLDER`.

`make FOLDER SESSIONS` generates staged sessions, one Parquet file per month. `ours FOLDER` and `duckdb FOLDER` each
build fact_energy from them month by month, write every month as Parquet, and print rows and kWh; each is meant to be
measured as a process of its own. `compare FOLDER` prints in how many rows the two differ.
"""

import shutil
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import polars as pl

TIME_ZONE = "Europe/Amsterdam"
FIRST_MONTH, LAST_MONTH = "2025-01", "2026-02"
_READ_AT = datetime(2026, 3, 2, 6, tzinfo=UTC)

_BUILT_BY_DUCKDB = """
COPY (
    WITH sessions AS MATERIALIZED (
        SELECT
            row_number() OVER () AS session,
            vendor, session_id, station_id, location_id, meter_series, meter_series_kind,
            epoch_ms(started_at) AS start_ms,
            epoch_ms(ended_at) AS end_ms,
            start_ms // 900000 AS first_slot,
            greatest(first_slot, (end_ms - 1) // 900000) AS last_slot,
            CAST(floor(energy_kwh * 1000000 + 0.5) AS BIGINT) AS energy
        FROM read_parquet($staged)
        WHERE reason IS NULL AND NOT is_open AND started_at < $month_end AND ended_at >= $month_start
    ),
    points AS (
        SELECT
            session, start_ms, end_ms, energy, meter_series_kind, position,
            epoch_ms(point.at) AS at_ms,
            CASE WHEN abs(point.energy_kwh) <= 1e9
                THEN CAST(floor(point.energy_kwh * 1000000 + 0.5) AS BIGINT) END AS value
        FROM sessions, unnest(meter_series) WITH ORDINALITY AS unnested(point, position)
        WHERE energy IS NOT NULL
    ),
    summed AS (
        SELECT
            *,
            meter_series_kind = 'interval'
                OR abs(sum(value) OVER whole - energy) < abs(last_value(value) OVER whole - energy) AS is_interval,
            CASE WHEN is_interval THEN sum(value) OVER so_far ELSE value END::BIGINT AS given,
            CASE WHEN is_interval THEN -value ELSE lag(value, 1, 0) OVER so_far - value END AS fall
        FROM points
        WINDOW
            so_far AS (PARTITION BY session ORDER BY at_ms, position ROWS UNBOUNDED PRECEDING),
            whole AS (PARTITION BY session ORDER BY at_ms, position
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        QUALIFY bool_and(at_ms IS NOT NULL AND value IS NOT NULL) OVER whole
    ),
    cumulated AS (
        SELECT
            *,
            greatest(max(given) OVER so_far, 0) AS cumulative,
            greatest(max(given) OVER whole, 0) AS total,
            abs(total - energy) AS miss
        FROM summed
        WINDOW
            so_far AS (PARTITION BY session ORDER BY at_ms, position ROWS UNBOUNDED PRECEDING),
            whole AS (PARTITION BY session ORDER BY at_ms, position
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        QUALIFY max(fall) OVER whole <= 1000
    ),
    knots AS (
        SELECT session, start_ms, end_ms, position, at_ms AS given_at_ms,
            greatest(start_ms, least(at_ms, end_ms)) AS at_ms, cumulative, total
        FROM cumulated
        WHERE (total > 0 OR energy = 0) AND NOT (miss * 100 > energy AND miss > 10000)
    ),
    stretches AS (
        SELECT
            session,
            coalesce(lag(at_ms) OVER by_time, start_ms) AS stretch_start_ms,
            at_ms AS stretch_end_ms,
            coalesce(lag(cumulative) OVER by_time, 0) AS metered_at_start,
            cumulative AS metered_at_end,
            total,
            false AS is_last
        FROM knots
        WINDOW by_time AS (PARTITION BY session ORDER BY given_at_ms, position)
        UNION ALL
        SELECT session, max(at_ms), any_value(end_ms), max(cumulative), max(cumulative), any_value(total), true
        FROM knots
        GROUP BY session
    ),
    ends_by_meter AS (
        SELECT
            stretches.*, energy, first_slot, last_slot,
            stretch_end_ms - stretch_start_ms AS length,
            unnest(range(
                greatest(stretch_start_ms // 900000, $first - 1),
                least(CASE WHEN is_last THEN last_slot ELSE stretch_end_ms // 900000 - 1 END, $last) + 1
            )) AS slot
        FROM stretches JOIN sessions USING (session)
    ),
    reached_by_meter AS (
        SELECT
            session, slot, first_slot,
            CASE
                WHEN slot = last_slot THEN energy
                WHEN total = 0 THEN 0
                ELSE CAST(
                    (
                        2 * energy::HUGEINT * (
                            metered_at_start::HUGEINT * length
                            + (metered_at_end - metered_at_start)::HUGEINT * ((slot + 1) * 900000 - stretch_start_ms)
                        ) + total::HUGEINT * length
                    ) // (2 * total::HUGEINT * length) AS BIGINT
                )
            END AS reached
        FROM ends_by_meter
    ),
    differences AS (
        SELECT
            session, slot,
            reached - CASE WHEN slot = first_slot THEN 0
                ELSE lag(reached) OVER (PARTITION BY session ORDER BY slot) END AS micro_kwh
        FROM reached_by_meter
    ),
    metered AS (
        SELECT vendor, session_id, station_id, location_id, slot, 'metered' AS method, micro_kwh
        FROM differences JOIN sessions USING (session)
        WHERE slot >= $first
    ),
    even_slots AS (
        SELECT
            vendor, session_id, station_id, location_id, energy, start_ms, first_slot, last_slot,
            end_ms - start_ms AS length,
            unnest(range(greatest(first_slot, $first), least(last_slot, $last) + 1)) AS slot
        FROM sessions ANTI JOIN stretches USING (session)
    ),
    even AS (
        SELECT
            vendor, session_id, station_id, location_id, slot, 'even' AS method,
            CASE WHEN slot = last_slot THEN energy ELSE {share_at_end} END
                - CASE WHEN slot = first_slot THEN 0 ELSE {share_at_start} END AS micro_kwh
        FROM even_slots
    )
    SELECT
        vendor, session_id,
        make_timestamptz(slot * 900000000) AS slot_start_at,
        $month AS month,
        station_id, location_id,
        -- Twelve digits and six places stay within the 64 bits of a small decimal.
        CAST(micro_kwh::DECIMAL(12, 0) * 0.000001::DECIMAL(6, 6) AS DECIMAL(14, 6)) AS energy_kwh,
        method
    FROM (FROM metered UNION ALL FROM even)
) TO '{written}' (FORMAT parquet, COMPRESSION zstd)
"""


def make(folder: Path, sessions: int) -> None:
    """Generate that many staged sessions, one file per month."""
    from transforms.months import month_of
    from warehouse.tables.staging import StagedSession

    staged = _fresh(folder / "staged")
    rows = _sessions(sessions).with_columns(month=month_of(pl.col("started_at"), TIME_ZONE))
    schema = StagedSession.create_empty().schema
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    complete = rows.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    for (month,), part in complete.partition_by("month", as_dict=True, maintain_order=True).items():
        part.write_parquet(staged / f"{month}.parquet", compression="zstd")


def ours(folder: Path) -> None:
    """Build every month as `pipelines.tables.monthly_facts` does."""
    from transforms.energy import fact_energy
    from transforms.months import month_bounds, months_between

    written = _fresh(folder / "ours")
    for month in months_between(FIRST_MONTH, LAST_MONTH):
        month_start, month_end = month_bounds(month, TIME_ZONE)
        overlapping = pl.scan_parquet(_staged_files(folder)).filter(
            pl.col("started_at") < month_end, pl.col("ended_at") >= month_start
        )
        sessions = overlapping.filter(pl.col("reason").is_null() & ~pl.col("is_open")).collect()
        fact_energy(sessions, TIME_ZONE, month).write_parquet(written / f"{month}.parquet", compression="zstd")
    _tell(written)


def duckdb(folder: Path) -> None:
    """Build the same in SQL."""
    import duckdb as database

    from transforms.months import month_bounds, months_between

    written = _fresh(folder / "duckdb")
    connection = database.connect()
    connection.execute("SET preserve_insertion_order = false")
    for month in months_between(FIRST_MONTH, LAST_MONTH):
        month_start, month_end = month_bounds(month, TIME_ZONE)
        connection.execute(
            _BUILT_BY_DUCKDB.format(
                written=written / f"{month}.parquet",
                share_at_start=_share_in_sql("slot"),
                share_at_end=_share_in_sql("slot + 1"),
            ),
            {
                "staged": [str(file) for file in _staged_files(folder)],
                "month": month,
                "month_start": month_start,
                "month_end": month_end,
                "first": int(month_start.timestamp()) // 900,
                "last": int(month_end.timestamp()) // 900 - 1,
            },
        )
    _tell(written)


def compare(folder: Path) -> None:
    """Print how many rows each of the two has that the other does not."""
    import duckdb as database

    connection = database.connect()
    for one, other in (("ours", "duckdb"), ("duckdb", "ours")):
        alone = 0
        for file in sorted((folder / one).glob("*.parquet")):
            sql = "SELECT count(*) FROM (FROM read_parquet($one) EXCEPT ALL FROM read_parquet($other))"
            paths = {"one": str(file), "other": str(folder / other / file.name)}
            alone += connection.execute(sql, paths).fetchall()[0][0]
        print(f"only in {one}: {alone:,} rows")


def _sessions(count: int) -> pl.DataFrame:
    """A quarter from each vendor: 18 minutes to 14 hours, 1 to 100 kWh; three quarters of Zaptec's have a series."""
    first, last = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 2, 27, tzinfo=UTC)
    random = Random(7)
    is_short = _chance(3) < 0.35
    hours = pl.when(is_short).then(0.3 + 3.7 * _chance(4)).otherwise(4 + 5 * (_chance(5) + _chance(6)))
    drawn = pl.DataFrame({"number": pl.int_range(count, eager=True)}).with_columns(
        vendor=pl.lit(pl.Series(["zaptec", "jedlix", "greenflux", "smappee"])).gather(pl.col("number") % 4),
        start_ms=int(first.timestamp() * 1000)
        + (_chance(1) * ((last - first) / timedelta(milliseconds=1))).cast(pl.Int64),
        length_ms=(hours * 3_600_000).cast(pl.Int64),
        station=(_chance(2) * 20_000).cast(pl.Int64),
        charging_share=0.3 + 0.7 * _chance(7),
        # Whole watt-hours, as meters count.
        energy_wh=(1_000 + 99_000 * _chance(8) * _chance(9)).cast(pl.Int64),
    )
    instants = drawn.with_columns(
        is_metered=(pl.col("vendor") == "zaptec") & (_chance(10) < 0.75),
        is_interval=_chance(11) < 0.5,
        interval_ms=pl.when(_chance(12) < 0.3).then(900_000).otherwise(3_600_000),
        end_ms=pl.col("start_ms") + pl.col("length_ms"),
    )
    return instants.join(_series(instants.filter("is_metered")), on="number", how="left", maintain_order="left").select(
        "vendor",
        "meter_series",
        session_id=pl.Series([str(uuid.UUID(int=random.getrandbits(128))) for _ in range(count)]),
        scope=pl.lit("all"),
        is_open=_chance(14) < 0.005,
        reason=pl.when(_chance(15) < 0.01).then(pl.lit("void")),
        started_at=_instant("start_ms"),
        ended_at=_instant("end_ms"),
        energy_kwh=pl.col("energy_wh") / 1000,
        energy_source=pl.lit("reported"),
        charging_seconds=pl.col("length_ms") / 1000 * pl.col("charging_share"),
        status=pl.lit("completed"),
        vendor_status=pl.lit("Completed"),
        station_id=pl.format("station-{}", "station"),
        connector_id=pl.lit("1"),
        location_id=pl.format("location-{}", pl.col("station") // 8),
        user_id=(_chance(16) * 100_000).cast(pl.Int64).hash(17).cast(pl.String),
        meter_series_kind=pl.when("is_metered").then(pl.lit("undecided")),
        version_at=_instant("end_ms"),
        requested_at=pl.lit(_READ_AT),
        read_at=pl.lit(_READ_AT),
        first_read_at=pl.lit(_READ_AT),
        content_hash=pl.col("number").hash(18).reinterpret(signed=True),
    )


def _series(sessions: pl.DataFrame) -> pl.DataFrame:
    """number and meter_series: a point at the start, at every quarter-hour or hour of the clock, and at the end."""
    interval_ms, start_ms = pl.col("interval_ms"), pl.col("start_ms")
    delivered = (pl.col("at_ms") - start_ms) / (pl.col("length_ms") * pl.col("charging_share"))
    cumulative_wh = (pl.col("energy_wh") * delivered.clip(0, 1)).round().cast(pl.Int64)
    value_wh = pl.when("is_interval").then(cumulative_wh - cumulative_wh.shift().over("number").fill_null(0))
    return (
        sessions.with_columns(
            at_ms=pl.concat_list(
                start_ms,
                pl.int_ranges(start_ms // interval_ms + 1, (pl.col("end_ms") - 1) // interval_ms + 1) * interval_ms,
                "end_ms",
            )
        )
        .explode("at_ms")
        .select(
            "number",
            at=_instant("at_ms"),
            # Every third meter reads slightly high.
            energy_kwh=value_wh.otherwise(cumulative_wh) / pl.when(pl.col("number") % 3 == 0).then(998).otherwise(1000),
        )
        .group_by("number", maintain_order=True)
        .agg(meter_series=pl.struct("at", "energy_kwh"))
    )


def _chance(seed: int) -> pl.Expr:
    """A pseudo-random number from 0 to 1, derived from the row's number: the same in every process."""
    return pl.col("number").hash(seed) / 2.0**64


def _instant(milliseconds: str) -> pl.Expr:
    return pl.from_epoch(milliseconds, time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us")


def _share_in_sql(slot: str) -> str:
    """An evenly spread session's energy up to the start of a slot, rounded half up; in 128 bits only if 64 overflow."""
    elapsed = f"({slot}) * 900000 - start_ms"
    return f"""CASE WHEN energy < 4000000000000000000 // (length + 900000)
        THEN (2 * energy * ({elapsed}) + length) // (2 * length)
        ELSE CAST((2 * energy::HUGEINT * ({elapsed}) + length) // (2 * length::HUGEINT) AS BIGINT) END"""


def _staged_files(folder: Path) -> list[Path]:
    return sorted((folder / "staged").glob("*.parquet"))


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _tell(written: Path) -> None:
    rows, energy_kwh = (
        pl.scan_parquet(written / "*.parquet").select(pl.len(), pl.col("energy_kwh").sum()).collect().row(0)
    )
    print(f"{rows:,} rows, {energy_kwh:,} kWh")


VERBS: Mapping[str, Callable[..., None]] = {
    "make": lambda folder, sessions: make(Path(folder), int(sessions)),
    "ours": lambda folder: ours(Path(folder)),
    "duckdb": lambda folder: duckdb(Path(folder)),
    "compare": lambda folder: compare(Path(folder)),
}

if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    VERBS[verb](*arguments)
