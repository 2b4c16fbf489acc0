"""Every check both ways: a sound warehouse passes all; a planted defect fails the one that claims its absence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from pipelines.orchestration import checks
from pipelines.orchestration.abandoned_runs import lake_held_by_run
from pipelines.orchestration.checks import CLAIMS, Claim, Evidence, build_checks, check_keys, markdown
from pipelines.orchestration.table_specs import table_key
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import Reading, readings_table
from pipelines.tables.lakes import MONTHLY_FACTS, Lakes
from pipelines.vendors import ENDPOINTS
from tests.pipelines.orchestration.sound_house import (
    AS_OF,
    QUIET,
    RUN,
    SESSIONS,
    house_settings,
    measure_again,
    rewrite,
    spoil,
    vocabulary,
    where,
)
from transforms.judgements.judgement import MOST_LISTED
from warehouse.column_types import polars_schema
from warehouse.lake import Lake
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    FACT_ENERGY,
    FACT_SESSION,
    LOAD_AUDIT,
    MONTH_QUALITY,
    OPEN_SESSION,
    REJECTED_SESSION,
    TOUCHED_MONTH,
    VOCABULARY,
)
from warehouse.tables.table import Table

BLOCKING = {"one_row_per_session", "slots_add_up_to_the_session", "nothing_unaccounted"}
Evaluations = Mapping[str, dg.AssetCheckEvaluation]


def checked(data: Path, *names: str, run_id: str = RUN) -> Evaluations:
    """Run all checks, or those named, in Dagster; by default as part of the run that last read the vendors."""
    keys = [key for key in check_keys() if not names or key.name in names]
    definitions = dg.Definitions(
        asset_checks=build_checks(house_settings(data), Lakes.below(data)),
        jobs=[dg.define_asset_job("judge", dg.AssetSelection.checks(*keys), executor_def=dg.in_process_executor)],
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("judge").execute_in_process(
            instance=instance, raise_on_error=False, run_id=run_id, run_config=QUIET
        )
        return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def failed(evaluations: Evaluations) -> set[str]:
    return {name for name, evaluation in evaluations.items() if not evaluation.passed}


def numbers(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def only_failed(data: Path, name: str) -> dict[str, Any]:
    """The numbers of the one check that fails."""
    evaluations = checked(data)
    assert failed(evaluations) == {name}, {each: evaluations[each].description for each in failed(evaluations)}
    return numbers(evaluations[name])


def test_a_sound_warehouse_passes_every_check_and_tells_numbers(data: Path) -> None:
    evaluations = checked(data)
    assert failed(evaluations) == set()
    assert set(evaluations) == {claim.name for claim in CLAIMS}
    assert numbers(evaluations["one_row_per_session"])["sessions"] == SESSIONS
    assert numbers(evaluations["nothing_unaccounted"])["sessions_received"] == SESSIONS + 2 + 2 + 14
    assert numbers(evaluations["months_complete"])["months_complete"] == 54
    assert numbers(evaluations["fresh_zaptec"])["hours_since_newest_session"] == 10
    for name, evaluation in evaluations.items():
        assert evaluation.description, name
        severity = dg.AssetCheckSeverity.ERROR if name in BLOCKING else dg.AssetCheckSeverity.WARN
        assert evaluation.severity == severity, name


def test_an_empty_warehouse_has_nothing_wrong_but_that_nothing_was_read(tmp_path: Path) -> None:
    assert failed(checked(tmp_path / "data")) == {"fresh_zaptec", "fresh_greenflux"}


def test_no_fact_is_read(data: Path) -> None:
    for table in (FACT_SESSION, FACT_ENERGY, REJECTED_SESSION):
        for file in Lakes.below(data).published.files(table):
            Path(file.path).unlink()
    assert failed(checked(data)) == set()


def test_a_session_that_stands_twice_is_found(data: Path) -> None:
    def twice(rows: pl.DataFrame) -> pl.DataFrame:
        moved = rows.filter(pl.col("session_id") == "zaptec-20260303").with_columns(month=pl.lit("2026-02"))
        return pl.concat([rows, moved])

    rewrite(data, FACT_SESSION, twice)
    # One running session fewer makes up for the session too many, so that the sums are right again.
    rewrite(data, OPEN_SESSION, lambda rows: rows.head(1))
    measure_again(data)
    found = only_failed(data, "one_row_per_session")
    # Once in each of the two months.
    assert found["sessions_repeated"] == 2
    assert "| 2026-02 | zaptec |" in found["listed"]


def test_a_lost_slot_is_found(data: Path) -> None:
    rewrite(data, FACT_ENERGY, lambda rows: rows.filter(~_is_a_slot_of("greenflux-20260303")))
    measure_again(data)
    found = only_failed(data, "slots_add_up_to_the_session")
    assert (found["sessions_slots_differ"], found["slots_difference_kwh"]) == (1, 1.25)
    assert "| 2026-03 | greenflux |" in found["listed"]


def test_a_slot_too_many_is_found_where_it_stands(data: Path) -> None:
    def astray(rows: pl.DataFrame) -> pl.DataFrame:
        slot = rows.filter(_is_a_slot_of("greenflux-20260303"))
        return pl.concat([rows, slot.with_columns(month=pl.lit("2025-11"), session_id=pl.lit("ghost"))])

    rewrite(data, FACT_ENERGY, astray)
    measure_again(data)
    found = only_failed(data, "slots_add_up_to_the_session")
    assert (found["sessions_slots_differ"], found["slots_difference_kwh"]) == (1, 1.25)
    assert "| 2025-11 | greenflux |" in found["listed"]


def _is_a_slot_of(session_id: str) -> pl.Expr:
    return (
        (pl.col("session_id") == session_id)
        & (pl.col("slot_start_at").dt.hour() == 12)
        & (pl.col("slot_start_at").dt.minute() == 0)
    )


def test_a_session_that_is_nowhere_is_found(data: Path) -> None:
    rewrite(data, OPEN_SESSION, lambda rows: rows.head(1))
    found = only_failed(data, "nothing_unaccounted")
    assert (found["sessions_accepted"], found["sessions_rejected"]) == (SESSIONS + 1, 2)
    assert found["sessions_unaccounted"] == 1


def test_a_row_that_is_neither_new_nor_changed_nor_unchanged_is_found(data: Path) -> None:
    is_cdrs = pl.col("endpoint") == "cdrs"
    spoil(data, LOAD_AUDIT, rows_new=pl.col("rows_new") - pl.when(is_cdrs).then(1).otherwise(0))
    found = only_failed(data, "nothing_unaccounted")
    assert (found["audit_rows_unbalanced"], found["sessions_unaccounted"]) == (1, 0)


def test_a_list_unlike_the_raw_log_is_found(data: Path) -> None:
    more = pl.when(pl.col("endpoint") == "cdrs").then(3).otherwise(0)
    spoil(
        data,
        LOAD_AUDIT,
        rows_received=pl.col("rows_received") + more,
        rows_unchanged=pl.col("rows_unchanged") + more,
    )
    found = only_failed(data, "nothing_unaccounted")
    assert (found["lists_unlike_the_raw_log"], found["audit_rows_unbalanced"]) == (1, 0)


def test_while_months_wait_to_be_built_sessions_are_not_accounted_for(data: Path) -> None:
    rewrite(data, OPEN_SESSION, lambda rows: rows.head(1))
    touched = TOUCHED_MONTH.schema.create_empty().schema
    row = {"run_id": RUN, "month": "2026-03", "reason": "new", "touched_at": AS_OF, "number": 1}
    Lakes.below(data).published.append(TOUCHED_MONTH, pl.DataFrame([row], schema=touched))
    evaluation = checked(data)["nothing_unaccounted"]
    assert evaluation.passed
    assert "1 month(s) wait" in str(evaluation.description)


def test_what_another_run_has_read_and_not_yet_staged_is_not_missing(data: Path) -> None:
    reading = Reading("other", AS_OF, "zaptec", "sessions", "all", "refresh", "complete", None, AS_OF, rows_received=9)
    RawLog(data).append({READINGS: [readings_table([reading])]}, Positions(), ["zaptec"])
    assert failed(checked(data)) == set()


def test_what_is_read_and_not_staged_yet_is_not_missing_where_nothing_was_staged_ever(tmp_path: Path) -> None:
    reading = Reading("other", AS_OF, "zaptec", "sessions", "all", "refresh", "complete", None, AS_OF, rows_received=9)
    RawLog(tmp_path).append({READINGS: [readings_table([reading])]}, Positions(), ["zaptec"])
    assert failed(checked(tmp_path, "nothing_unaccounted")) == set()


def test_nothing_is_judged_while_another_run_writes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Lakes.below(data).published.scan(OPEN_SESSION).collect()
    rewrite(data, OPEN_SESSION, lambda rows: rows.head(1))

    @contextmanager
    def once_the_other_has_written(folder: Path, run_id: str) -> Iterator[None]:
        rewrite(data, OPEN_SESSION, lambda _: sound)
        with lake_held_by_run(folder, run_id):
            yield

    monkeypatch.setattr(checks, "lake_held_by_run", once_the_other_has_written)
    assert failed(checked(data)) == set()


@pytest.mark.parametrize("state", ["gap", "partial", "never"])
def test_a_month_that_was_not_read_is_found(data: Path, state: str) -> None:
    is_it = (pl.col("endpoint") == "cdrs") & (pl.col("month") == "2026-01")
    spoil(data, COVERAGE, state=where(is_it, state, "state"), message=where(is_it, "no answer", "message"))
    found = only_failed(data, "months_complete")
    assert (found[f"months_{state}"], found["months_missing"]) == (1, 1)
    assert f"| greenflux | cdrs | all | {state} | 2026-01 | 2026-01 | 1 | no answer |" in found["listed"]


def test_the_month_that_still_runs_may_be_partial_but_have_no_gap(data: Path) -> None:
    is_it = (pl.col("endpoint") == "cdrs") & (pl.col("month") == "2026-04")
    spoil(data, COVERAGE, state=where(is_it, "partial", "state"))
    assert failed(checked(data)) == set()
    spoil(data, COVERAGE, state=where(is_it, "gap", "state"))
    assert only_failed(data, "months_complete")["months_gap"] == 1


@pytest.mark.parametrize(
    ("name", "number", "in_utc", "in_berlin"),
    [
        ("months_complete", "months_missing", 0, 1),
        ("volume_as_usual", "month", "2026-03", "2026-04"),
        # One of March and April, or of April alone.
        ("rejected_share", "zaptec_share", round(1 / 39, 4), 1 / 10),
        # Ten times the gap of six months: April has few sessions yet.
        ("fresh_zaptec", "hours_tolerated_since_newest_session", 248.28, 280.52),
    ],
)
def test_the_month_that_still_runs_is_that_of_the_configured_zone(
    data: Path, name: str, number: str, in_utc: object, in_berlin: object
) -> None:
    """An hour before May, which has begun in Berlin."""
    is_it = (pl.col("endpoint") == "cdrs") & (pl.col("month") == "2026-04")
    spoil(data, COVERAGE, state=where(is_it, "partial", "state"))
    spoil(data, LOAD_AUDIT, as_of=pl.lit(datetime(2026, 4, 30, 23, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")))
    [claim] = [claim for claim in CLAIMS if claim.name == name]
    for time_zone, expected in (("UTC", in_utc), ("Europe/Berlin", in_berlin)):
        settings = replace(house_settings(data), time_zone=time_zone)
        assert claim.judge(Evidence(settings, Lakes.below(data), RUN)).numbers[number] == expected


@pytest.mark.parametrize(("hours", "is_fresh"), [(48, True), (49, False)])
def test_a_vendor_that_was_not_read_of_late_is_found(data: Path, hours: int, is_fresh: bool) -> None:
    is_it = pl.col("vendor") == "zaptec"
    spoil(
        data,
        LOAD_AUDIT,
        run_id=where(is_it, "another run", "run_id"),
        as_of=where(is_it, AS_OF - timedelta(hours=hours), "as_of").cast(pl.Datetime("us", "UTC")),
    )
    if is_fresh:
        assert failed(checked(data)) == set()
    else:
        assert only_failed(data, "fresh_zaptec")["hours_since_read"] == 49


def test_alone_and_long_after_the_last_run_the_clock_decides(data: Path) -> None:
    alone = RUN.replace("1", "2")
    evaluation = checked(data, "fresh_zaptec", run_id=alone)["fresh_zaptec"]
    since_read = datetime.now(UTC) - AS_OF
    assert evaluation.passed == (since_read <= timedelta(days=2))
    assert numbers(evaluation)["hours_since_read"] == pytest.approx(since_read / timedelta(hours=1), abs=0.1)
    later = datetime.now(UTC) + timedelta(days=1)
    spoil(data, LOAD_AUDIT, as_of=pl.lit(later).cast(pl.Datetime("us", "UTC")))
    assert numbers(checked(data, "fresh_zaptec", run_id=alone)["fresh_zaptec"])["hours_since_read"] == 0


def test_a_failed_reading_is_no_reading(data: Path) -> None:
    spoil(data, LOAD_AUDIT, state=where(pl.col("endpoint") == "chargers", "failed", "state"))
    assert failed(checked(data)) == set(), "of its sessions it is fresh"
    spoil(data, LOAD_AUDIT, state=where(pl.col("vendor") == "zaptec", "failed", "state"))
    evaluations = checked(data)
    assert failed(evaluations) == {"fresh_zaptec"}
    assert "never read" in str(evaluations["fresh_zaptec"].description)


def test_a_vendor_that_is_not_asked_for_its_sessions_is_no_less_fresh(data: Path) -> None:
    on = house_settings(data)
    assert on.greenflux is not None
    without_cdrs = replace(on, greenflux=replace(on.greenflux, cdrs_version=None))
    judgement = Evidence(without_cdrs, Lakes.below(data), RUN).fresh("greenflux")
    assert (judgement.passed, judgement.description) == (True, "No session list of greenflux is in use.")


def test_a_vendor_that_sends_nothing_any_more_is_found(data: Path) -> None:
    newest_end_at = pl.when(pl.col("vendor") == "greenflux").then(AS_OF - timedelta(days=20)).otherwise("newest_end_at")
    spoil(data, MONTH_QUALITY, newest_end_at=newest_end_at.cast(pl.Datetime("us", "UTC")))
    found = only_failed(data, "fresh_greenflux")
    # A session a day: ten days without one may be chance.
    assert found["hours_since_newest_session"] == 480
    assert 200 < found["hours_tolerated_since_newest_session"] < 260


def test_more_rejected_than_usual_is_found(data: Path) -> None:
    is_it = (pl.col("vendor") == "zaptec") & (pl.col("month") == "2026-03")
    spoil(data, MONTH_QUALITY, rejected=where(is_it, 10, "rejected").cast(pl.Int64))
    found = only_failed(data, "rejected_share")
    # 10 rejected in March, and 1 of the 39 others in April.
    assert found["zaptec_share"] == round(11 / (11 + 38), 4)
    assert "| zaptec | 49 | 11 |" in found["listed"]


@pytest.mark.parametrize(("read_before", "is_found"), [(timedelta(), True), (timedelta(days=60), False)])
def test_sessions_whose_start_cannot_be_read_any_more_are_found_but_not_those_of_the_first_reading(
    data: Path, read_before: timedelta, is_found: bool
) -> None:
    first_as_of = AS_OF - timedelta(days=60)
    spoil(data, LOAD_AUDIT, as_of=where(pl.col("vendor") == "zaptec", first_as_of, "as_of"))
    undated = {"vendor": "zaptec", "reason": "unreadable", "payload": "{}", "read_at": AS_OF - read_before}
    rows = [{**undated, "session_id": f"undated-{number}"} for number in range(10)]
    Lakes.below(data).published.append(REJECTED_SESSION, pl.DataFrame(rows, schema=polars_schema(REJECTED_SESSION)))
    [found] = checked(data, "rejected_share").values()
    assert found.passed != is_found
    share = (10 + 1) / (10 + 39) if is_found else 1 / 39
    assert numbers(found)["zaptec_share"] == round(share, 4)


def test_what_is_always_rejected_is_no_news(data: Path) -> None:
    spoil(data, MONTH_QUALITY, rejected=where(pl.col("vendor") == "zaptec", 10, "rejected").cast(pl.Int64))
    assert failed(checked(data)) == set()


def test_new_fields_and_words_are_found(data: Path) -> None:
    yesterday, long_ago = AS_OF - timedelta(days=1), AS_OF - timedelta(days=31)
    first = AS_OF - timedelta(days=300)
    rows = vocabulary(
        ("zaptec", "sessions", "field", "old", False, first),
        ("zaptec", "sessions", "field", "known for long", False, long_ago),
        ("zaptec", "sessions", "field", "energy", False, yesterday),
        ("zaptec", "sessions", "field", "carbonIntensity", False, yesterday),
        ("jedlix", "sessions", "word", "status=Paused", False, first),
        ("jedlix", "sessions", "word", "status=Dozing", False, yesterday),
    )
    rewrite(data, VOCABULARY, lambda _: rows)
    found = only_failed(data, "no_new_fields_or_words")
    # `energy` is read by now.
    assert (found["new_fields"], found["new_words"], found["unclaimed_fields"], found["unknown_words"]) == (1, 1, 3, 2)
    assert "| jedlix | sessions | word | status=Dozing | 2026-04-09 00:00 UTC |" in found["listed"]
    rewrite(data, VOCABULARY, lambda each: each.filter(pl.col("first_seen_at") < yesterday))
    assert failed(checked(data)) == set()


def test_a_month_of_half_the_volume_is_found(data: Path) -> None:
    is_it = (pl.col("vendor") == "greenflux") & (pl.col("month") == "2026-03")
    spoil(data, MONTH_QUALITY, sessions=where(is_it, 14, "sessions").cast(pl.Int64))
    found = only_failed(data, "volume_as_usual")
    assert (found["month"], found["vendors_unusual"]) == ("2026-03", 1)
    assert "| greenflux | 2026-03 | 14 | 29 |" in found["listed"]


def test_energy_in_another_unit_is_found(data: Path) -> None:
    is_it = (pl.col("vendor") == "greenflux") & (pl.col("month") == "2026-03")
    energy = pl.when(is_it).then(pl.col("energy_kwh") * 1000).otherwise("energy_kwh").cast(pl.Decimal(14, 6))
    spoil(data, MONTH_QUALITY, energy_kwh=energy)
    assert only_failed(data, "volume_as_usual")["vendors_unusual"] == 1


def test_a_month_without_any_session_is_found(data: Path) -> None:
    is_it = (pl.col("vendor") == "greenflux") & (pl.col("month") == "2026-03")
    rewrite(data, MONTH_QUALITY, lambda rows: rows.filter(~is_it))
    assert only_failed(data, "volume_as_usual")["vendors_unusual"] == 1


def test_too_little_history_passes_and_says_so(data: Path) -> None:
    rewrite(data, MONTH_QUALITY, lambda rows: rows.filter(pl.col("month") >= "2026-01"))
    spoil(data, MONTH_QUALITY, sessions=where(pl.col("month") == "2026-03", 1, "sessions").cast(pl.Int64))
    evaluation = checked(data)["volume_as_usual"]
    assert evaluation.passed
    assert "Not judged" in str(evaluation.description)
    assert numbers(evaluation)["vendors_with_too_little_history"] == 2


def test_a_vendor_that_is_switched_off_may_reject_what_it_did_and_send_nothing(data: Path) -> None:
    is_it = pl.col("month") == "2026-03"

    def add(rows: pl.DataFrame) -> pl.DataFrame:
        off = rows.filter(pl.col("vendor") == "zaptec").with_columns(
            vendor=pl.lit("smappee"),
            sessions=where(is_it, 1, "sessions").cast(pl.Int64),
            rejected=where(is_it, 30, "rejected").cast(pl.Int64),
        )
        return pl.concat([rows, off])

    rewrite(data, MONTH_QUALITY, add)
    assert failed(checked(data)) == set()


def test_a_vendor_that_is_switched_off_is_not_judged_by_what_it_sent_without_a_start(data: Path) -> None:
    def first_read_long_ago(rows: pl.DataFrame) -> pl.DataFrame:
        long_ago = pl.lit(AS_OF - timedelta(days=60)).cast(pl.Datetime("us", "UTC"))
        off = rows.filter(pl.col("vendor") == "zaptec").with_columns(vendor=pl.lit("smappee"), as_of=long_ago)
        return pl.concat([rows, off])

    rewrite(data, LOAD_AUDIT, first_read_long_ago)
    undated = {"vendor": "smappee", "reason": "unreadable", "payload": "{}", "read_at": AS_OF}
    rejected = [{**undated, "session_id": f"undated-{number}"} for number in range(30)]
    Lakes.below(data).published.append(REJECTED_SESSION, pl.DataFrame(rejected, schema=polars_schema(REJECTED_SESSION)))
    [found] = checked(data, "rejected_share").values()
    assert found.passed
    assert "smappee_share" not in numbers(found)


def test_two_sessions_on_one_connector_are_found(data: Path) -> None:
    earlier = pl.when(pl.col("session_id") == "greenflux-20260303").then(timedelta(hours=23)).otherwise(timedelta())
    spoil(data, FACT_SESSION, started_at=pl.col("started_at") - earlier)
    measure_again(data)
    assert only_failed(data, "no_overlaps_on_a_connector")["sessions_overlapping"] == 1


def test_sessions_that_lead_nowhere_are_found(data: Path) -> None:
    is_it = pl.col("session_id").is_in(["zaptec-20260303", "greenflux-20260303"])
    spoil(data, FACT_SESSION, station_id=where(is_it, "S9", "station_id"))
    spoil(data, FACT_SESSION, location_id=where(pl.col("session_id") == "zaptec-20260304", None, "location_id"))
    measure_again(data)
    found = only_failed(data, "references_resolve")
    assert (found["sessions_without_station"], found["sessions_without_location"]) == (2, 1)
    assert "| zaptec | 2026-03 | 1 | location |" in found["listed"]


def test_a_station_that_leads_nowhere_is_found(data: Path) -> None:
    spoil(data, DIM_CHARGE_STATION, location_id=where(pl.col("vendor") == "zaptec", "L9", "location_id"))
    assert only_failed(data, "references_resolve")["stations_without_location"] == 1


def test_where_a_station_once_stood_need_not_be_known(data: Path) -> None:
    def add(rows: pl.DataFrame) -> pl.DataFrame:
        before = rows.with_columns(location_id=pl.lit("L9"), valid_to="valid_from", is_current=False)
        return pl.concat([rows, before])

    rewrite(data, DIM_CHARGE_STATION, add)
    assert failed(checked(data)) == set()


def test_a_session_of_a_car_may_take_place_at_no_location(data: Path) -> None:
    row = {"month": "2026-03", "vendor": "jedlix", "sessions": 9, "sessions_without_station": 9}
    row |= {"sessions_without_location": 3, "sessions_naming_no_location": 3}
    for unknown in (0, 1):
        counted = {**row, "sessions_without_location": 3 + unknown}

        def add(rows: pl.DataFrame, counted: dict[str, object] = counted) -> pl.DataFrame:
            more = pl.DataFrame([counted], schema=rows.schema).with_columns(pl.col(pl.Int64).fill_null(0))
            return pl.concat([rows.filter(pl.col("vendor") != "jedlix"), more])

        rewrite(data, MONTH_QUALITY, add)
        evaluation = checked(data, "references_resolve")["references_resolve"]
        assert numbers(evaluation)["sessions_without_location"] == unknown
        assert evaluation.passed == (not unknown)


def test_one_check_runs_alone(data: Path) -> None:
    assert set(checked(data, "months_complete")) == {"months_complete"}


def test_every_check_is_described_and_stands_at_its_table(data: Path) -> None:
    [definition] = build_checks(house_settings(data), Lakes.below(data))
    specs = {spec.name: spec for spec in definition.check_specs}
    assert {name for name, spec in specs.items() if spec.blocking} == BLOCKING
    assert {f"fresh_{vendor}" for vendor in ENDPOINTS} <= set(specs)
    assert len(specs) == 9 + len(ENDPOINTS)
    assert all(len(spec.description or "") > 60 for spec in specs.values())


class LookedAt(Lake):
    """A lake that remembers which tables it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.tables: set[Table] = set()

    def _open(self, table: Table) -> DeltaTable | None:
        self.tables.add(table)
        return super()._open(table)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_check_waits_for_all_that_it_reads(data: Path, claim: Claim) -> None:
    lakes = Lakes.below(data)
    published = LookedAt(lakes.published.root)
    claim.judge(Evidence(house_settings(data), Lakes(lakes.staging, published), RUN))
    awaited = {dep.asset_key for dep in claim.spec.additional_deps} | {table_key(claim.table)}
    assert table_key(TOUCHED_MONTH) in awaited, "the step that builds the facts"
    assert {table_key(table) for table in published.tables.difference(MONTHLY_FACTS)} <= awaited


def test_a_long_list_is_cut(data: Path) -> None:
    text = markdown(pl.DataFrame({"month": [f"{number}|x" for number in range(MOST_LISTED + 3)]}))
    assert text.count("\\|x |") == MOST_LISTED
    assert text.endswith("and 3 more.")
