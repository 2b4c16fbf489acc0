"""Which charge station and which location a session belongs to, where the session itself does not say."""

import polars as pl

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
    """The location of each station: vendor, station_id, location_id of its newest version; one row per station."""
    return (
        staged_charge_station.sort(
            "vendor",
            "station_id",
            *_NEWEST_FIRST,
            "location_id",
            descending=[False, False, True, True, False],
            nulls_last=True,
        )
        .unique(["vendor", "station_id"], keep="first", maintain_order=True)
        .select("vendor", "station_id", "location_id")
    )


def with_station(sessions: pl.DataFrame, links: pl.DataFrame, locations: pl.DataFrame) -> pl.DataFrame:
    """StagedSession rows with station_id filled in through evse_uid, then location_id through station_id, where NULL.

    `links` and `locations` are the frames of station_links and station_locations. Rows and columns stay as they are.
    """
    return (
        with_linked_station(sessions.lazy(), links.lazy())
        .join(locations.lazy(), on=["vendor", "station_id"], how="left", suffix="_linked", maintain_order="left")
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
