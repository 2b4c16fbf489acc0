"""What was read, when, and how much of it was new: the tables behind `chargehouse status` (schema `ops`)."""

import dataframely as dy

from warehouse import columns


def run_id() -> dy.String:
    """The Dagster run, part of the key."""
    return columns.text("Id of the Dagster run.", nullable=False, primary_key=True)


def endpoint() -> dy.String:
    """The list that was read, part of the key."""
    return columns.text("Endpoint, as the raw log names it.", nullable=False, primary_key=True)


def scope() -> dy.String:
    """What the list was asked for, part of the key."""
    return columns.text(
        "What the endpoint was asked for: an installation, a park ...; `all` where it takes none. Users by pseudonym.",
        nullable=False,
        primary_key=True,
    )


def session_count(description: str, *, nullable: bool = False) -> dy.Int64:
    """A number of sessions."""
    return dy.Int64(nullable=nullable, description=description, metadata={"unit": "sessions"})


class Coverage(dy.Schema):
    """One row per vendor, endpoint, scope and month: how much of the month has been read."""

    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    scope = scope()
    month = dy.String(
        nullable=False,
        primary_key=True,
        description="Month (YYYY-MM) on the endpoint's own clock; for endpoints read whole, the month of the reading.",
    )
    state = columns.text(
        "complete: read from the month's beginning to its end, or to the newest refresh's as-of; partial: only in "
        "part; gap: a reading failed and none has closed it since; never: not read.",
        nullable=False,
    )
    rows_received = columns.count("Rows received in readings that began in this month, repeats included.")
    read_at = columns.instant("As-of instant of the last complete reading.")
    message = columns.text("Why the last reading failed. NULL unless state is gap.")
    is_asked = dy.Bool(
        nullable=False,
        description="Whether the newest refresh of the list asked for this scope. False for an installation, charger "
        "or park that is gone, a list or vendor that is switched off: nothing can be missing there.",
    )


class LoadAudit(dy.Schema):
    """One row per run, endpoint and scope: rows_received = rows_new + rows_changed + rows_unchanged."""

    run_id = run_id()
    as_of = columns.instant("The run's now: nothing later was looked at.", nullable=False)
    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    scope = scope()
    state = columns.text("complete, or failed where any reading failed.", nullable=False)
    rows_received = columns.count("Rows received.")
    rows_new = columns.count("Rows of an object that was not known.")
    rows_changed = columns.count("Rows that differ from the version known before.")
    rows_unchanged = columns.count("Rows equal to the version known before.")
    rows_rejected = columns.count("Of the received rows, those that cannot count as a session.")
    requests = dy.Int64(
        nullable=False, description="Requests sent, sign-ins and repeats included.", metadata={"unit": "requests"}
    )
    retries = dy.Int64(
        nullable=False, description="Of the requests, those repeated after a fault.", metadata={"unit": "requests"}
    )
    message = columns.text("Why a reading failed. NULL where none did.")


class Lateness(dy.Schema):
    """One row per vendor and run that saw sessions for the first time: how late they came.

    A session is late when a run before could have seen it by its end and did not. Latest and typical lateness next to a
    vendor's look-back say whether the look-back is long enough.
    """

    vendor = columns.vendor(primary_key=True)
    as_of = columns.instant("The run's now.", nullable=False, primary_key=True)
    previous_as_of = columns.instant(
        "The now of the vendor's reading before that one. NULL for the first, and for a backfill."
    )
    sessions_new = session_count("Closed sessions seen for the first time.")
    sessions_late = session_count("Of these, the ones that had ended before the reading before.")
    late_seconds_median = columns.seconds(
        "Median time from the end of a late session to the reading before. NULL where none was late."
    )
    late_seconds_most = columns.seconds(
        "Longest time from the end of a late session to the reading before. NULL where none was late."
    )


class TouchedMonth(dy.Schema):
    """One row per run, month and reason: which months of the facts a run's rows touched, and why."""

    run_id = run_id()
    month = dy.String(
        nullable=False, primary_key=True, description="Month (YYYY-MM) whose facts had to be rebuilt; `none`: no month."
    )
    reason = columns.text(
        "new: a session not known before; late: one that an earlier run could have seen by its end; corrected: a known "
        "one changed; station: a station became known; backfill: read again; rebuild: asked for.",
        nullable=False,
        primary_key=True,
    )
    touched_at = columns.instant("As-of instant of the run.", nullable=False)
    number = dy.Int64(
        nullable=False,
        description="Rises each time that months are touched; each fact remembers up to which it was built.",
    )


class MonthQuality(dy.Schema):
    """One row per month and vendor: what was counted when the month was last built, and what of it ought not to be.

    A month is counted again when it is built, and when a month is built into which its sessions reach.
    """

    month = dy.String(
        nullable=False,
        primary_key=True,
        description="Month (YYYY-MM) in which the sessions begin; `none`: rejected sessions without a readable start.",
    )
    vendor = columns.vendor(primary_key=True)
    sessions = session_count("Rows of fact_session.")
    energy_kwh = columns.energy_kwh("Energy of these sessions together; one without energy counts as 0.")
    newest_end_at = columns.instant("When the last of these sessions ended. NULL where there are none.")
    sessions_repeated = session_count("Session ids that stand more than once in fact_session, other months included.")
    sessions_slots_differ = session_count(
        "Sessions whose slots in fact_energy, over all months, do not add up to energy_kwh exactly (where it is NULL: "
        "that have a slot with energy); and those that have slots in the month, but do not reach it in fact_session."
    )
    slots_difference_kwh = columns.energy_kwh(
        "By how much the slots of those sessions miss their energy, too much and too little added up without sign."
    )
    sessions_overlapping = session_count(
        "Sessions that begin before an earlier session on the same connector (vendor, station_id, connector_id) has "
        "ended; at the same instant the one with the smaller session_id is the earlier. Where several EVSEs of a "
        "station have a connector of that id, as many may run at once. Not judged: those without station or connector "
        "(Zaptec, Jedlix), and those that stand more than once."
    )
    sessions_without_station = session_count("Sessions whose station_id is NULL or unknown to dim_charge_station.")
    sessions_without_location = session_count("Sessions whose location_id is NULL or unknown to dim_location.")
    sessions_naming_no_location = session_count("Of these, those whose location_id is NULL.")
    sessions_unknown_status = session_count("Sessions whose status is `unknown`: a word that no transform knows.")
    rejected = session_count("Rows of rejected_session.")


class Vocabulary(dy.Schema):
    """One row per field of a vendor's objects, and per status word that no transform knows: when it was first seen."""

    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    kind = columns.text("field, or word.", nullable=False, primary_key=True)
    name = columns.text(
        "field: the path of the field inside the object, dots for nesting, lists left out; word: `field=word`, the "
        "field that holds it and the word as the vendor wrote it.",
        nullable=False,
        primary_key=True,
    )
    is_claimed = dy.Bool(nullable=False, description="Whether a transform reads it, as of when it was first seen.")
    first_seen_at = columns.instant("As-of instant of the run that first saw it.", nullable=False)


class VendorRadar(dy.Schema):
    """One row per vendor and endpoint in use: what the vendor is about to change or remove, and what of it is not ours.

    A vendor removes what is older than `oldest_available_at`, and an endpoint whole at `sunset_at`. Rows that were
    never read cannot be counted; what is counted exactly are months of scopes (an installation, a charger ...) of which
    the coverage says that they were not read to the end.
    """

    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    api_version = columns.text(
        "Version in the path or base URL in use; `unversioned` where the vendor has none there.", nullable=False
    )
    seen_at = columns.instant("As-of instant of the newest run that asked the endpoint. NULL before the first.")
    deprecated_at = columns.instant(
        "Since when, or from when on, the vendor calls the endpoint deprecated: its Deprecation header (RFC 9745) in "
        "that run. NULL where it says nothing."
    )
    sunset_at = columns.instant(
        "When the vendor will stop answering: its Sunset header (RFC 8594) in that run. NULL where it says nothing."
    )
    retirement_url = columns.text("Where the vendor says more: the link of those headers, less its query.")
    announced = columns.text("Change that the vendor has announced in a document. NULL where we know of none.")
    announced_source_url = columns.text("Where it is announced.")
    oldest_available_at = columns.instant(
        "How far back rows can be counted on to be there, on the endpoint's own clock. NULL where no limit is known."
    )
    months_at_risk = dy.Int64(
        nullable=False,
        description="Months of scopes, from the first month asked for, that were not read to the end (never, partial "
        "or gap) and of which the vendor removes something within 90 days of the last run.",
        metadata={"unit": "months"},
    )
    months_lost = dy.Int64(
        nullable=False,
        description="Months of scopes that were not read to the end, and that the vendor has removed wholly by now.",
        metadata={"unit": "months"},
    )
    rows_at_risk = columns.count(
        "Rows to be expected in the months at risk: 0 where there are none; else estimated, each month at the mean of "
        "the completely read months of its scope, less what was read of it. NULL where no month of a scope at risk is "
        "completely read.",
        nullable=True,
    )
    sessions_leaving = session_count(
        "Sessions in our lake that the vendor removes within 90 days. NULL where no limit is known.", nullable=True
    )
    sessions_only_here = session_count(
        "Sessions in our lake that ended before oldest_available_at: the vendor need not have them any more, so that "
        "only our raw log can bring them back. NULL where no limit is known.",
        nullable=True,
    )
