"""Whether the facts can be relied on, judged by the rows of month_quality."""

from collections.abc import Collection
from datetime import datetime

import polars as pl

from transforms.judgements.judgement import USUAL_MONTHS, Judgement, total
from transforms.months import month_at, month_of, months_before
from transforms.touched import NO_MONTH

REJECTED_SHARE = 0.05
"""Vendors void, replace and correct a few percent of sessions; more than 5%, and twice the usual, is unusual."""

SHARE_DECIMALS = 4
"""Decimals of a reported share: a hundredth of a percent."""

USUAL_TIMES = 2.0
"""A share is unusual above this many times the usual one."""

LEAST_VOLUME, MOST_VOLUME = 0.5, 2.0
"""Holidays and growth change a month by a fifth; less than half or more than twice the usual has another cause."""

FEWEST_MONTHS = 3
"""A median of fewer months says nothing."""

FEWEST_SESSIONS = 20
"""With fewer sessions, a single rejected one is already more than the tolerated share."""


def one_row_per_session(quality: pl.DataFrame) -> Judgement:
    """No session appears twice in fact_session."""
    repeated = total(quality, "sessions_repeated")
    return Judgement(
        repeated == 0,
        f"{repeated:,} session id(s) appear more than once." if repeated else "Every session appears once.",
        {"sessions": total(quality, "sessions"), "sessions_repeated": repeated},
        _months_with(quality, "sessions_repeated"),
    )


def slots_add_up(quality: pl.DataFrame) -> Judgement:
    """Every session's slots in fact_energy add up to its energy."""
    differing = total(quality, "sessions_slots_differ")
    difference_kwh = float(quality.get_column("slots_difference_kwh").sum() or 0)
    return Judgement(
        differing == 0,
        f"The slots of {differing:,} session(s) do not add up to their energy, by {difference_kwh:,.6f} kWh."
        if differing
        else "The slots of every session add up exactly to its energy.",
        {
            "sessions": total(quality, "sessions"),
            "energy_kwh": float(quality.get_column("energy_kwh").sum() or 0),
            "sessions_slots_differ": differing,
            "slots_difference_kwh": difference_kwh,
        },
        _months_with(quality, "sessions_slots_differ", "slots_difference_kwh"),
    )


def no_overlaps(quality: pl.DataFrame) -> Judgement:
    """No two sessions charge on one connector at once."""
    overlapping = total(quality, "sessions_overlapping")
    return Judgement(
        overlapping == 0,
        f"{overlapping:,} session(s) begin while another is still running on the same connector."
        if overlapping
        else "No session begins while another is still running on the same connector.",
        {"sessions": total(quality, "sessions"), "sessions_overlapping": overlapping},
        _months_with(quality, "sessions_overlapping"),
    )


def references_resolve(
    quality: pl.DataFrame,
    stations: pl.DataFrame,
    locations: pl.DataFrame,
    listing_stations: Collection[str],
    listing_locations: Collection[str],
) -> Judgement:
    """Sessions refer to a known station; sessions and stations refer to a known location.

    `stations` and `locations`: rows of the dimensions. `listing_*`: the vendors that list them at all; references of
    other vendors cannot be resolved and are not judged. A vendor that lists locations but no stations follows cars: if
    one of its sessions names no location, the car charged elsewhere, and nothing is missing.
    """
    follows_cars = ~pl.col("vendor").is_in(list(listing_stations))
    elsewhere = pl.when(follows_cars).then("sessions_naming_no_location").otherwise(0)
    to_stations = quality.filter(~follows_cars)
    to_locations = quality.filter(pl.col("vendor").is_in(list(listing_locations))).with_columns(
        pl.col("sessions_without_location") - elsewhere
    )
    current = stations.filter("is_current", pl.col("vendor").is_in(list(listing_locations)))
    lost_stations = current.join(locations, on=["vendor", "location_id"], how="anti").height
    without_station = total(to_stations, "sessions_without_station")
    without_location = total(to_locations, "sessions_without_location")
    orphans = (
        pl.concat(
            [
                to_stations.select(
                    "vendor", "month", sessions="sessions_without_station", lead_to_no=pl.lit("station")
                ),
                to_locations.select(
                    "vendor", "month", sessions="sessions_without_location", lead_to_no=pl.lit("location")
                ),
            ]
        )
        .filter(pl.col("sessions") > 0)
        .sort("month", "vendor", "lead_to_no", descending=[True, False, False])
    )
    found = without_station + without_location + lost_stations
    return Judgement(
        found == 0,
        f"{without_station:,} session(s) refer to no known station, {without_location:,} to no known location; "
        f"{lost_stations:,} station(s) refer to no known location."
        if found
        else "Every session refers to a known station and location, if its vendor lists them.",
        {
            "sessions_without_station": without_station,
            "sessions_without_location": without_location,
            "stations_without_location": lost_stations,
            "judged_for_stations": ", ".join(sorted(listing_stations)),
            "judged_for_locations": ", ".join(sorted(listing_locations)),
        },
        orphans,
    )


def rejected_share(quality: pl.DataFrame, undated: pl.DataFrame, as_of: datetime, time_zone: str) -> Judgement:
    """The share of rejected sessions in this and the last month, by vendor, compared with that of the months before.

    `undated`: vendor and read_at of those rejected sessions to be judged that have no readable start; each counts in
    the month in which it was first read.
    """
    counts = pl.concat(
        [
            quality.filter(pl.col("month") != NO_MONTH).select("vendor", "month", "sessions", "rejected"),
            undated.select(
                "vendor",
                month=month_of(pl.col("read_at"), time_zone),
                sessions=pl.lit(0, dtype=pl.Int64),
                rejected=pl.lit(1, dtype=pl.Int64),
            ),
        ]
    )
    current = month_at(as_of, time_zone)
    recent, usual = [*months_before(current, 1), current], months_before(months_before(current, 1)[0], USUAL_MONTHS)
    shares = (
        counts.group_by("vendor")
        .agg(
            _received_in(recent).alias("sessions"),
            _sum_in("rejected", recent).alias("rejected"),
            (_sum_in("rejected", usual) / _received_in(usual)).fill_nan(None).alias("usual_share"),
        )
        .with_columns(share=(pl.col("rejected") / pl.col("sessions")).fill_nan(None))
        .with_columns(
            limit=pl.max_horizontal(pl.lit(REJECTED_SHARE), USUAL_TIMES * pl.col("usual_share").fill_null(0.0))
        )
        .with_columns(is_high=(pl.col("share") > pl.col("limit")) & (pl.col("sessions") >= FEWEST_SESSIONS))
        .sort("is_high", "vendor", descending=[True, False])
    )
    high = shares.filter("is_high").get_column("vendor").to_list()
    return Judgement(
        not high,
        f"More sessions than usual are rejected: {', '.join(high)}."
        if high
        else "No more sessions than usual are rejected.",
        {
            "rejected": total(quality, "rejected"),
            **{
                f"{vendor}_share": round(share, SHARE_DECIMALS)
                for vendor, share in shares.select("vendor", "share").iter_rows()
                if share is not None
            },
        },
        shares.select("vendor", "sessions", "rejected", "share", "usual_share", "limit"),
    )


def volume_as_usual(quality: pl.DataFrame, as_of: datetime, time_zone: str) -> Judgement:
    """Sessions and energy of the newest complete month, by vendor, compared with the median of the months before."""
    current = month_at(as_of, time_zone)
    [newest] = months_before(current, 1)
    rows = []
    for (vendor,), months in quality.filter(pl.col("sessions") > 0, pl.col("month") < current).group_by("vendor"):
        first = min(months["month"])
        before = [month for month in months_before(newest, USUAL_MONTHS) if month >= first]
        usual_sessions, usual_kwh = (_median_of(months, column, before) for column in ("sessions", "energy_kwh"))
        sessions, kwh = (sum(_values(months, column, [newest])) for column in ("sessions", "energy_kwh"))
        rows.append((vendor, newest, sessions, usual_sessions, kwh, usual_kwh, len(before)))
    columns = {
        "vendor": pl.String,
        "month": pl.String,
        "sessions": pl.Float64,
        "usual_sessions": pl.Float64,
        "energy_kwh": pl.Float64,
        "usual_energy_kwh": pl.Float64,
        "months_before": pl.Int64,
    }
    judged = pl.DataFrame(rows, schema=columns, orient="row").sort("vendor")
    has_history = pl.col("months_before") >= FEWEST_MONTHS
    unusual = judged.filter(
        has_history, _is_unusual("sessions", "usual_sessions") | _is_unusual("energy_kwh", "usual_energy_kwh")
    )
    too_short = judged.filter(~has_history).get_column("vendor").to_list()
    description = (
        f"The volume of {newest} is unusual: {', '.join(unusual['vendor'])}."
        if unusual.height
        else f"The volume of {newest} is as usual."
    )
    if too_short:
        description += f" Not judged, with fewer than {FEWEST_MONTHS} earlier months: {', '.join(too_short)}."
    if judged.is_empty():
        description = "There is no complete month yet."
    return Judgement(
        unusual.is_empty(),
        description,
        {"month": newest, "vendors_unusual": unusual.height, "vendors_with_too_little_history": len(too_short)},
        judged,
    )


def _months_with(quality: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The months in which the first of `columns` is above 0, newest first."""
    return (
        quality.filter(pl.col(columns[0]) > 0)
        .select("month", "vendor", "sessions", *columns)
        .sort("month", "vendor", descending=[True, False])
    )


def _sum_in(column: str, months: list[str]) -> pl.Expr:
    return pl.col(column).filter(pl.col("month").is_in(months)).sum()


def _received_in(months: list[str]) -> pl.Expr:
    return _sum_in("sessions", months) + _sum_in("rejected", months)


def _values(rows: pl.DataFrame, column: str, months: list[str]) -> list[float]:
    """The values of one vendor's months in order; 0 for a month without sessions."""
    by_month = dict(rows.select("month", pl.col(column).cast(pl.Float64)).iter_rows())
    return [by_month.get(month, 0.0) for month in months]


def _median_of(rows: pl.DataFrame, column: str, months: list[str]) -> float | None:
    median: float | None = pl.Series(_values(rows, column, months), dtype=pl.Float64).median()  # type: ignore[assignment]
    return median


def _is_unusual(column: str, usual: str) -> pl.Expr:
    is_less = pl.col(column) < LEAST_VOLUME * pl.col(usual)
    return is_less | (pl.col(column) > MOST_VOLUME * pl.col(usual))
