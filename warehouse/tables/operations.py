"""What was read, when, and how much of it was new: the tables behind `chargehouse status` (schema `ops`)."""

import dataframely as dy

from warehouse import columns


def run_id() -> dy.String:
    """The Dagster run, part of the key."""
    return columns.text("Id of the Dagster run.", nullable=False, primary_key=True)


def endpoint() -> dy.String:
    """The list that was read, part of the key."""
    return columns.text("Name of the endpoint in the raw log.", nullable=False, primary_key=True)


def scope() -> dy.String:
    """What the list was asked for, part of the key."""
    return columns.text(
        "What was requested of the endpoint: an installation, a park ...; `all` if it has no such parameter. A user is "
        "given by pseudonym.",
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
        description="Month (YYYY-MM) by the endpoint's clock. Of an endpoint that is read whole, rows count in the "
        "month of the reading, which covers all months before it as well.",
    )
    state = columns.text(
        "complete: read from the beginning of the month to its end, or to the as-of instant of the newest refresh if "
        "that is earlier; partial: read only in part; gap: a reading failed, and no later one has closed the gap; "
        "never: not read.",
        nullable=False,
    )
    rows_received = columns.count(
        "Rows received that belong to this month by the endpoint's clock; a row counts each time it is received."
    )
    read_at = columns.instant("As-of instant of the last complete reading. NULL if there was none.")
    message = columns.text("Cause of the last failed reading. NULL unless state is gap.")
    is_asked = dy.Bool(
        nullable=False,
        description="Whether the newest refresh of the endpoint requested this scope. False for an installation, "
        "charger or park that no longer exists, and for an endpoint or vendor that is switched off: nothing counts as "
        "missing there.",
    )


class LoadAudit(dy.Schema):
    """One row per run, endpoint and scope, with its row counts: received = new + changed + unchanged."""

    run_id = run_id()
    as_of = columns.instant("As-of instant of the run: nothing later was read.", nullable=False)
    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    scope = scope()
    state = columns.text("complete, or failed if any reading failed.", nullable=False)
    rows_received = columns.count("Rows received.")
    rows_new = columns.count("Rows of objects that were not known before.")
    rows_changed = columns.count("Rows that differ from the version known before them.")
    rows_unchanged = columns.count("Rows equal to the version known before them.")
    rows_rejected = columns.count(
        "Of the received rows, those that cannot count: rejected sessions, and other objects without an id."
    )
    requests = dy.Int64(
        nullable=False, description="Requests sent, including sign-ins and retries.", metadata={"unit": "requests"}
    )
    retries = dy.Int64(
        nullable=False,
        description="Of the requests, those that were retries after a fault.",
        metadata={"unit": "requests"},
    )
    message = columns.text("Cause of the last failed reading. NULL if none failed.")


class Lateness(dy.Schema):
    """One row per vendor and run that received sessions for the first time: how late they arrived.

    A session is late if it had already ended when an earlier run read its list, and that run did not receive it. To see
    whether a vendor's look-back is long enough, compare it with the longest and the median lateness.
    """

    vendor = columns.vendor(primary_key=True)
    as_of = columns.instant("As-of instant of the run.", nullable=False, primary_key=True)
    previous_as_of = columns.instant(
        "As-of instant of the vendor's previous complete reading. NULL if there was none, and for a backfill."
    )
    sessions_new = session_count("Closed sessions received for the first time.")
    sessions_late = session_count("Of these, the sessions that had ended before the previous reading.")
    late_seconds_median = columns.seconds(
        "Median time from the end of a late session to the previous reading. NULL if none was late."
    )
    late_seconds_most = columns.seconds(
        "Longest time from the end of a late session to the previous reading. NULL if none was late."
    )


class TouchedMonth(dy.Schema):
    """One row per run, month and reason: which months of the facts a run's rows touched, and why."""

    run_id = run_id()
    month = dy.String(
        nullable=False,
        primary_key=True,
        description="Month (YYYY-MM) whose facts are to be rebuilt; `none`: sessions without a readable start.",
    )
    reason = columns.text(
        "new: a session that was not known before; late: a new session that an earlier run could have received, since "
        "it had already ended; corrected: a known session changed; station: a charge station became known or changed; "
        "backfill: the month was read again; rebuild: a rebuild was requested or necessary.",
        nullable=False,
        primary_key=True,
    )
    touched_at = columns.instant("As-of instant of the run.", nullable=False)
    number = dy.Int64(
        nullable=False,
        description="Sequence number, raised whenever months are touched. Each fact records up to which number it was "
        "built.",
    )


class MonthQuality(dy.Schema):
    """One row per month and vendor: what the month held when it was last counted, and how much of it is wrong.

    A month is counted when it is built, and again when another month is built that its sessions extend into.
    """

    month = dy.String(
        nullable=False,
        primary_key=True,
        description="Month (YYYY-MM) in which the sessions begin; `none`: rejected sessions without a readable start.",
    )
    vendor = columns.vendor(primary_key=True)
    sessions = session_count("Rows of fact_session.")
    energy_kwh = columns.energy_kwh("Total energy of these sessions; a session without energy counts as 0.")
    newest_end_at = columns.instant("Latest end of these sessions. NULL if there are none.")
    sessions_repeated = session_count(
        "Session ids that appear more than once in fact_session, in this or another month."
    )
    sessions_slots_differ = session_count(
        "Sessions whose slots in fact_energy, over all months, do not add up exactly to energy_kwh (or have energy "
        "although energy_kwh is NULL), and sessions with slots in the month that do not overlap it in fact_session."
    )
    slots_difference_kwh = columns.energy_kwh(
        "Sum of the absolute differences between the energy of those sessions and that of their slots."
    )
    sessions_overlapping = session_count(
        "Sessions that begin before an earlier session on the same connector (vendor, station_id, connector_id) has "
        "ended; of two that begin together, the one with the smaller session_id is the earlier. If several EVSEs of a "
        "station have a connector with that id, that many sessions may run at once. Not judged: sessions without "
        "station or connector (Zaptec, Jedlix), and sessions that appear more than once."
    )
    sessions_without_station = session_count("Sessions whose station_id is NULL or not in dim_charge_station.")
    sessions_without_location = session_count("Sessions whose location_id is NULL or not in dim_location.")
    sessions_naming_no_location = session_count("Of these, the sessions whose location_id is NULL.")
    sessions_unknown_status = session_count(
        "Sessions whose status is `unknown`: the vendor's status word is not recognised."
    )
    rejected = session_count("Rows of rejected_session.")


class Vocabulary(dy.Schema):
    """One row per field of a vendor's objects, and per status word that is not recognised: when it was first seen."""

    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    kind = columns.text("field, or word (a status word).", nullable=False, primary_key=True)
    name = columns.text(
        "For a field, its path inside the object: dots for nesting, nothing for lists. For a word, `field=word`: the "
        "field that holds it, and the word as the vendor wrote it.",
        nullable=False,
        primary_key=True,
    )
    is_claimed = dy.Bool(nullable=False, description="Whether a transform read it at the time it was first seen.")
    first_seen_at = columns.instant("As-of instant of the run that first saw it.", nullable=False)


class VendorRadar(dy.Schema):
    """One row per vendor and endpoint in use: what the vendor is about to change or remove, and how much is unread.

    A vendor may remove rows older than `oldest_available_at`, and removes the whole endpoint at `sunset_at`. Rows that
    were never read cannot be counted. Counted exactly are months of scopes (an installation, a charger ...) that,
    according to the coverage, were not read to the end.
    """

    vendor = columns.vendor(primary_key=True)
    endpoint = endpoint()
    api_version = columns.text(
        "API version in the path or base URL in use; `unversioned` if there is none.", nullable=False
    )
    seen_at = columns.instant("As-of instant of the newest run that requested the endpoint. NULL before the first.")
    deprecated_at = columns.instant(
        "When the endpoint became or will become deprecated, from its Deprecation header (RFC 9745) in that run. NULL "
        "if it sent none."
    )
    sunset_at = columns.instant(
        "When the endpoint will be shut down, from its Sunset header (RFC 8594) in that run. NULL if it sent none."
    )
    retirement_url = columns.text(
        "URL with more details, from the link sent with those headers, without its query string. NULL if none."
    )
    announced = columns.text("Change that the vendor has announced in a document. NULL if none is known.")
    announced_source_url = columns.text("URL of that document. NULL if no change is known.")
    oldest_available_at = columns.instant(
        "Oldest instant, by the endpoint's own clock, for which the vendor can be relied on to still have rows. NULL "
        "if no limit is known."
    )
    months_at_risk = dy.Int64(
        nullable=False,
        description="Months of scopes, from the first requested month on, that were not read to the end (never, "
        "partial or gap) and from which the vendor may remove rows within 90 days of the last run.",
        metadata={"unit": "months"},
    )
    months_lost = dy.Int64(
        nullable=False,
        description="Months of scopes that were not read to the end, and that the vendor may have removed entirely.",
        metadata={"unit": "months"},
    )
    rows_at_risk = columns.count(
        "Estimated number of unread rows in the months at risk: for each, the mean of the completely read months of "
        "its scope, minus the rows already read. 0 if no month is at risk. NULL if a scope at risk has no completely "
        "read month.",
        nullable=True,
    )
    sessions_leaving = session_count(
        "Sessions in the lake that the vendor may remove within 90 days. NULL if no limit is known.", nullable=True
    )
    sessions_only_here = session_count(
        "Sessions in the lake that ended before oldest_available_at: the vendor may no longer have them, so only the "
        "raw log can restore them. NULL if no limit is known.",
        nullable=True,
    )
