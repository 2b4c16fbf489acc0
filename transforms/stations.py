"""Which charge station and which location a session belongs to, where the session itself does not say."""

import polars as pl

from transforms.versions import with_validity

_NEWEST_FIRST = ("version_at", "requested_at")


def station_links(staged_charge_station: pl.DataFrame) -> pl.DataFrame:
    """The station of each EVSE: vendor, evse_uid, station_id; one row per EVSE.

    An EVSE that several stations have shown belongs to the station with the newest version that shows it; on a tie, to
    the smaller station_id.
    """
    return (
        staged_charge_station.filter(pl.col("connectors").list.len() > 0)
        .explode("connectors")
        .select("vendor", "station_id", *_NEWEST_FIRST, evse_uid=pl.col("connectors").struct.field("evse_uid"))
        .filter(pl.col("evse_uid").is_not_null())
        .sort("vendor", "evse_uid", *_NEWEST_FIRST, "station_id", descending=[False, False, True, True, False])
        .unique(["vendor", "evse_uid"], keep="first", maintain_order=True)
        .select("vendor", "evse_uid", "station_id")
    )


def station_locations(staged_charge_station: pl.DataFrame) -> pl.DataFrame:
    """Where each station stood: vendor, station_id, location_id, located_from, located_to.

    A row for each stretch of time, [located_from, located_to), at one location. The first begins at NULL: what a
    station did before it became known was done where it stood then. The last ends at NULL.
    """
    key = ["vendor", "station_id"]
    located = staged_charge_station.filter(pl.col("location_id").is_not_null())
    is_first = pl.col("valid_from") == pl.col("valid_from").min().over(key)
    return with_validity(located, key, ["location_id"]).select(
        *key, "location_id", located_from=pl.when(~is_first).then("valid_from"), located_to="valid_to"
    )


def with_station(sessions: pl.DataFrame, links: pl.DataFrame, locations: pl.DataFrame) -> pl.DataFrame:
    """StagedSession rows with station_id filled in through evse_uid where NULL, then location_id, where NULL, with the
    place where that station stood when the session began; where nobody knows when it began, with the newest.

    `links` and `locations` are the frames of station_links and station_locations. Rows and other columns stay as they
    are.
    """
    from_at, to_at, started_at = pl.col("located_from"), pl.col("located_to"), pl.col("started_at")
    stood_there = (from_at.is_null() | (started_at >= from_at).fill_null(True)) & (
        to_at.is_null() | (started_at < to_at).fill_null(False)
    )
    return (
        with_linked_station(sessions.lazy(), links.lazy())
        .join(locations.lazy(), on=["vendor", "station_id"], how="left", suffix="_linked", maintain_order="left")
        .filter(stood_there)
        .with_columns(location_id=pl.coalesce("location_id", "location_id_linked"))
        .select(sessions.columns)
        .collect()
    )


def with_linked_station(sessions: pl.LazyFrame, links: pl.LazyFrame) -> pl.LazyFrame:
    """StagedSession rows with station_id filled in through evse_uid where NULL; `links`: from station_links."""
    return (
        sessions.join(links, on=["vendor", "evse_uid"], how="left", suffix="_linked", maintain_order="left")
        .with_columns(station_id=pl.coalesce("station_id", "station_id_linked"))
        .drop("station_id_linked")
    )
