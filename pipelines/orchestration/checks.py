"""What the warehouse claims of its data, as asset checks: one step, which reads small tables and no month of a fact.

When a blocking check fails, nothing that depends on its table is built in the same run, above all no publication:
readers keep the last good one, and the run fails.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

import dagster as dg
import polars as pl

from pipelines.orchestration.abandoned_runs import lake_held_by_run
from pipelines.orchestration.previews import markdown_table
from pipelines.orchestration.table_specs import table_key
from pipelines.raw.raw_log import RawLog
from pipelines.settings import Settings
from pipelines.tables.lakes import CONSUMED, Lakes, partitions_of
from pipelines.tables.monthly_facts import pending_months
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.announcements import endpoints_in_use
from transforms.judgements.facts import (
    FEWEST_MONTHS,
    FEWEST_SESSIONS,
    LEAST_VOLUME,
    MOST_VOLUME,
    REJECTED_SHARE,
    USUAL_TIMES,
    no_overlaps,
    one_row_per_session,
    references_resolve,
    rejected_share,
    slots_add_up,
    volume_as_usual,
)
from transforms.judgements.judgement import MOST_LISTED, USUAL_MONTHS, Judgement
from transforms.judgements.names import NEWS_FOR, no_new_names
from transforms.judgements.readings import (
    FRESH_FOR,
    GAPS_WAITED,
    StoredSessions,
    fresh,
    months_complete,
    nothing_unaccounted,
)
from transforms.months import month_at
from transforms.touched import NO_MONTH
from transforms.vendors import SESSION_LISTS, STAGINGS
from transforms.vocabulary import with_claims
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    DIM_LOCATION,
    FACT_ENERGY,
    FACT_SESSION,
    LOAD_AUDIT,
    MONTH_QUALITY,
    OPEN_SESSION,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    TOUCHED_MONTH,
    VOCABULARY,
)
from warehouse.tables.table import Table

STEP = "checks"


class Evidence:
    """The data that the claims are judged by. Each table is read once, and only if a claim needs it."""

    def __init__(self, settings: Settings, lakes: Lakes, run_id: str) -> None:
        self._settings = settings
        self._run_id = run_id
        self._lakes = lakes
        self.time_zone = settings.time_zone

    @cached_property
    def quality(self) -> pl.DataFrame:
        return self._read(MONTH_QUALITY)

    @cached_property
    def quality_of_today(self) -> pl.DataFrame:
        """Without the vendors that are switched off, which have no volume any more and nothing new to reject."""
        return self.quality.filter(pl.col("vendor").is_in(self._settings.vendors))

    @cached_property
    def audit(self) -> pl.DataFrame:
        return self._read(LOAD_AUDIT)

    @cached_property
    def undated_rejections(self) -> pl.DataFrame:
        """vendor and read_at of the rejected sessions without a readable start, except those from the first reading of
        a vendor, which may be of any age."""
        first_readings = self.audit.group_by("vendor").agg(first_as_of=pl.col("as_of").min())
        rejected = self._lakes.published.scan(REJECTED_SESSION, partitions_of([NO_MONTH])).select("vendor", "read_at")
        return (
            rejected.collect()
            .join(first_readings, on="vendor")
            .filter(pl.col("vendor").is_in(self._settings.vendors), pl.col("read_at") > pl.col("first_as_of"))
        )

    @cached_property
    def coverage(self) -> pl.DataFrame:
        return self._read(COVERAGE)

    @cached_property
    def vocabulary(self) -> pl.DataFrame:
        return with_claims(self._read(VOCABULARY))

    @cached_property
    def stations(self) -> pl.DataFrame:
        return self._read(DIM_CHARGE_STATION)

    @cached_property
    def locations(self) -> pl.DataFrame:
        return self._read(DIM_LOCATION)

    @cached_property
    def audited_readings(self) -> pl.DataFrame:
        """The readings of the loads that the audit has consumed; another run may append more at any time."""
        mark = self._lakes.published.mark(LOAD_AUDIT, CONSUMED)
        return RawLog(self._settings.data).until(mark or 0).readings()

    @cached_property
    def stored_sessions(self) -> StoredSessions:
        """Row counts from the Delta log of each table, without reading the table."""
        fact, open_, rejected = (
            sum(self._lakes.published.row_counts(table).values())
            for table in (FACT_SESSION, OPEN_SESSION, REJECTED_SESSION)
        )
        return StoredSessions(fact, open_, rejected)

    @cached_property
    def waiting_months(self) -> list[str]:
        return pending_months(self._lakes)

    @cached_property
    def as_of(self) -> datetime:
        """The as-of instant of the run's readings. For a run that reads nothing: now, or the newest as-of if later."""
        mine = self.audit.filter(pl.col("run_id") == self._run_id)
        instants: list[datetime] = [*mine["as_of"]] or [datetime.now(UTC), *self.audit["as_of"]]
        return max(instants)

    def fresh(self, vendor: str) -> Judgement:
        if vendor not in self._settings.vendors:
            return Judgement(True, f"{vendor} is switched off.")
        in_use = [endpoint.name for endpoint in endpoints_in_use(self._settings) if endpoint.vendor == vendor]
        lists = [name for name in in_use if (vendor, name) in SESSION_LISTS]
        if not lists:
            return Judgement(True, f"No session list of {vendor} is in use.")
        return fresh(vendor, lists, self.audit, self.quality, self.as_of, self.time_zone)

    def _read(self, table: Table) -> pl.DataFrame:
        return self._lakes.published.scan(table).collect()


@dataclass(frozen=True)
class Claim:
    """A claim about a table, how it is judged, and which tables besides its own the judgement reads (`read`)."""

    name: str
    table: Table
    description: str
    judge: Callable[[Evidence], Judgement]
    read: tuple[Table, ...] = (MONTH_QUALITY,)
    is_blocking: bool = False

    @property
    def spec(self) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            self.name,
            asset=table_key(self.table),
            description=self.description,
            # The step `touched_month` builds the facts, so every check comes after it.
            additional_deps=[table_key(table) for table in (TOUCHED_MONTH, *self.read) if table != self.table],
            blocking=self.is_blocking,
        )

    def result(self, evidence: Evidence) -> dg.AssetCheckResult:
        judgement = self.judge(evidence)
        listed = {"listed": dg.MetadataValue.md(markdown(judgement.listed))} if judgement.listed.height else {}
        return dg.AssetCheckResult(
            passed=judgement.passed,
            asset_key=table_key(self.table),
            check_name=self.name,
            severity=dg.AssetCheckSeverity.ERROR if self.is_blocking else dg.AssetCheckSeverity.WARN,
            description=judgement.description,
            metadata={**judgement.numbers, **listed},
        )


def _listing(table: Table) -> list[str]:
    """The vendors with an endpoint that lists what the staged table holds."""
    return sorted({vendor for (vendor, _), staging in STAGINGS.items() if staging.table == table})


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "one_row_per_session",
        FACT_SESSION,
        "No session is in fact_session twice, not even in different months. Blocks the publication: it would be "
        "counted twice.",
        lambda evidence: one_row_per_session(evidence.quality),
        is_blocking=True,
    ),
    Claim(
        "slots_add_up_to_the_session",
        FACT_ENERGY,
        "The quarter-hours of every session, over all months, add up to its energy to the millionth of a kWh, and "
        "every quarter-hour belongs to a session. Blocks the publication: kWh by month would be wrong.",
        lambda evidence: slots_add_up(evidence.quality),
        is_blocking=True,
    ),
    Claim(
        "nothing_unaccounted",
        LOAD_AUDIT,
        "Every row received is accounted for. For each run, endpoint and scope: received = new + changed + unchanged. "
        "For each endpoint over all runs: received = the rows recorded for the readings of the raw log. For sessions "
        "over all runs: received = accepted (in fact_session or open_session) + rejected (in rejected_session) + "
        "duplicates (rows of a session that was already known, changed or not). Blocks the publication: something was "
        "lost, or counted twice.",
        lambda evidence: nothing_unaccounted(
            evidence.audit,
            evidence.audited_readings,
            SESSION_LISTS,
            evidence.stored_sessions,
            evidence.waiting_months,
        ),
        (OPEN_SESSION,),
        is_blocking=True,
    ),
    Claim(
        "months_complete",
        COVERAGE,
        "Every month of every list was read from end to end. A reading counts as complete only if it returned as many "
        "distinct rows as the vendor's own total says; if the vendor gives no total, only if its pages connect to each "
        "other or two passes returned the same rows. gap: a reading failed, and no later one has closed the gap; "
        "partial: only part was read; never: not read. The current month may be partial for a vendor that was not read "
        "last.",
        lambda evidence: months_complete(evidence.coverage, month_at(evidence.as_of, evidence.time_zone)),
        (LOAD_AUDIT,),
    ),
    *(
        Claim(
            f"fresh_{vendor}",
            COVERAGE,
            f"{vendor} was read to the end within {FRESH_FOR.days} days, and its newest session ended within "
            f"{FRESH_FOR.days} days or, if its sessions are rare, within {GAPS_WAITED} times the usual interval "
            "between them.",
            partial(Evidence.fresh, vendor=vendor),
            (LOAD_AUDIT, MONTH_QUALITY),
        )
        for vendor in ENDPOINTS
    ),
    Claim(
        "rejected_share",
        REJECTED_SESSION,
        f"Of each vendor's sessions of this and the last month, at most {REJECTED_SHARE:.0%} are rejected, or "
        f"{USUAL_TIMES:g} times the share of the {USUAL_MONTHS} months before if that is more. Not judged with fewer "
        f"than {FEWEST_SESSIONS} sessions. A session without a readable start counts in the month in which it was "
        "first read, unless that was the vendor's first reading.",
        lambda evidence: rejected_share(
            evidence.quality_of_today, evidence.undated_rejections, evidence.as_of, evidence.time_zone
        ),
        (LOAD_AUDIT, MONTH_QUALITY),
    ),
    Claim(
        "no_new_fields_or_words",
        VOCABULARY,
        f"In the last {NEWS_FOR.days} days, no field appeared that the transforms do not read, and no status word that "
        "they do not know. Names in the first reading of an endpoint do not count as new.",
        lambda evidence: no_new_names(evidence.vocabulary, evidence.as_of),
        (LOAD_AUDIT,),
    ),
    Claim(
        "volume_as_usual",
        FACT_SESSION,
        "Sessions and kWh of each vendor's newest complete month are neither less than "
        f"{LEAST_VOLUME:g} times nor more than {MOST_VOLUME:g} times the median of the {USUAL_MONTHS} months before. "
        f"Not judged with fewer than {FEWEST_MONTHS} earlier months.",
        lambda evidence: volume_as_usual(evidence.quality_of_today, evidence.as_of, evidence.time_zone),
        (LOAD_AUDIT, MONTH_QUALITY),
    ),
    Claim(
        "no_overlaps_on_a_connector",
        FACT_SESSION,
        "No session begins before an earlier one on the same connector has ended. If n EVSEs of a station have a "
        "connector with the same id, n sessions may run on it at once. Sessions without a connector are not judged.",
        lambda evidence: no_overlaps(evidence.quality),
    ),
    Claim(
        "references_resolve",
        FACT_SESSION,
        "Every session refers to a station in dim_charge_station and a location in dim_location, and every station to "
        "a location, if the vendor lists them at all. With a vendor that follows cars (Jedlix), a session may name no "
        "location: the car charged elsewhere.",
        lambda evidence: references_resolve(
            evidence.quality,
            evidence.stations,
            evidence.locations,
            _listing(STAGED_CHARGE_STATION),
            _listing(STAGED_LOCATION),
        ),
        (MONTH_QUALITY, DIM_CHARGE_STATION, DIM_LOCATION),
    ),
)


def build_checks(settings: Settings, lakes: Lakes) -> list[dg.AssetChecksDefinition]:
    """Every claim as a check, in one step."""

    @dg.multi_asset_check(
        name=STEP,
        specs=[claim.spec for claim in CLAIMS],
        description="Checks what the run built, using the counts in the operations tables.",
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = [claim for claim in CLAIMS if claim.spec.key in context.selected_asset_check_keys]
        evidence = Evidence(settings, lakes, context.run.run_id)
        # While a run is writing the tables, their numbers do not add up.
        with lake_held_by_run(settings.data, context.run.run_id):
            results = [claim.result(evidence) for claim in selected]
        yield from results

    return [checks]


def check_keys() -> list[dg.AssetCheckKey]:
    """The keys of all checks. A job over some assets must name them: the checked facts are not among its assets."""
    return [claim.spec.key for claim in CLAIMS]


def broken_claims(evaluations: Iterable[dg.AssetCheckEvaluation]) -> list[str]:
    """What kept a run from publishing, one sentence for each blocking check that failed."""
    blocking = {claim.spec.key for claim in CLAIMS if claim.spec.blocking}
    return [
        f"{evaluation.asset_key.to_user_string()} {evaluation.check_name}: {evaluation.description}"
        for evaluation in evaluations
        if not evaluation.passed and evaluation.asset_check_key in blocking
    ]


def markdown(rows: pl.DataFrame) -> str:
    """The first rows as a table, and how many more there are."""
    return markdown_table(rows, MOST_LISTED, instants="%Y-%m-%d %H:%M UTC")
