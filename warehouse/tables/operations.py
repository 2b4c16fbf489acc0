"""What was read, when, and what of it was new: the tables behind `chargehouse status` (schema `ops`)."""

import dataframely as dy

from warehouse import columns


def run_id() -> dy.String:
    return columns.text("Id of the Dagster run.", nullable=False, primary_key=True)


def endpoint(*, primary_key: bool = True) -> dy.String:
    return columns.text("Endpoint, as the raw log names it.", nullable=False, primary_key=primary_key)


def scope() -> dy.String:
    return columns.text(
        "What the endpoint was asked for: an installation, a park ...; `all` where it takes none. Users by pseudonym.",
        nullable=False,
        primary_key=True,
    )


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
        "complete: read from the month's beginning to its end, or to the last run's as-of; partial: only in part; gap: "
        "a reading failed and none has closed it since; never: not read.",
        nullable=False,
    )
    rows_received = columns.count("Rows received in readings that began in this month, repeats included.")
    read_at = columns.instant("As-of instant of the last complete reading.")
    message = columns.text("Why the last reading failed. NULL unless state is gap.")


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
        nullable=False, description="Requests answered, repeats included.", metadata={"unit": "requests"}
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
    previous_as_of = columns.instant("The now of the vendor's reading before that one. NULL for the first.")
    sessions_new = dy.Int64(
        nullable=False, description="Closed sessions seen for the first time.", metadata={"unit": "sessions"}
    )
    sessions_late = dy.Int64(
        nullable=False,
        description="Of these, the ones that had ended before the reading before.",
        metadata={"unit": "sessions"},
    )
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
        "new: a session not known before; corrected: a known one changed; station: a station became known; "
        "rebuild: asked for.",
        nullable=False,
        primary_key=True,
    )
    touched_at = columns.instant("As-of instant of the run.", nullable=False)
    number = dy.Int64(nullable=False, description="Place in the order in which the months are rebuilt.")
