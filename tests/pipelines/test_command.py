"""The command line: exit statuses, and one line instead of a traceback for everything foreseeable."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dagster._core.executor.in_process import InProcessExecutor

from pipelines import command
from pipelines.layout import DATABASE, LAKE_FOLDER
from pipelines.orchestration import month_assets, table_assets
from pipelines.raw import extraction
from pipelines.raw.raw_rows import RawRows, raw_rows
from pipelines.settings import PREFIXES, PROJECT_FOLDER
from pipelines.vendors.contract import Endpoint
from sandbox.server import Sandbox
from tests.outside import outside
from tests.pipelines.commanded import Run, Told, complaint
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.publication import publish

ZAPTEC = {"ZAPTEC_USERNAME": "operator@example.org", "ZAPTEC_PASSWORD": "planted-password"}
SMAPPEE_PASSWORD = {"SMAPPEE_PASSWORD": "planted-password"}


@pytest.fixture
def small(sandbox: Sandbox) -> dict[str, str]:
    """The environment of the sandbox's Smappee and its one park, the quickest vendor to refresh from."""
    names = {name: value for name, value in sandbox.environment().items() if name.startswith("SMAPPEE_")}
    return {**names, "CHARGEHOUSE_FIRST_MONTH": "2026-03", "SMAPPEE_PARK_IDS": sandbox.world.parks()[0]}


@pytest.mark.parametrize("name", ["refresh", "reconcile", "backfill"])
def test_no_vendor_is_a_mistake_that_says_what_to_do(name: str, run: Run) -> None:
    months = ("--from", "2026-01", "--to", "2026-01") if name == "backfill" else ()
    assert "no vendor is configured" in complaint(run(name, *months), command.MISTAKE)


@pytest.mark.parametrize("name", ["refresh", "rebuild", "status", "doctor", "run", "ui"])
def test_a_half_set_vendor_is_a_mistake_of_every_command(name: str, run: Run) -> None:
    told = complaint(run(name, **SMAPPEE_PASSWORD), command.MISTAKE)
    assert "SMAPPEE_CLIENT_ID, SMAPPEE_CLIENT_SECRET, SMAPPEE_USERNAME not set" in told


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CHARGEHOUSE_TIME_ZONE": "Europe/Nowhere"}, "CHARGEHOUSE_TIME_ZONE"),
        ({"CHARGEHOUSE_FIRST_MONTH": "2026-13"}, "CHARGEHOUSE_FIRST_MONTH"),
        ({"CHARGEHOUSE_FIRST_MONTH": "0000-01"}, "CHARGEHOUSE_FIRST_MONTH"),
        ({"ZAPTEC_BASE_URL": "http://vendor.example"}, "ZAPTEC_BASE_URL"),
        ({"ZAPTEC_REQUESTS_PER_SECOND": "fast"}, "ZAPTEC_REQUESTS_PER_SECOND"),
        ({"ZAPTEC_REQUESTS_PER_SECOND": "1e-300"}, "ZAPTEC_REQUESTS_PER_SECOND"),
        ({"CHARGEHOUSE_DATA": "/nowhere/a=b"}, "CHARGEHOUSE_DATA"),
        ({"CHARGEHOUSE_DATA": str(PROJECT_FOLDER / "README.md")}, "CHARGEHOUSE_DATA"),
        ({"CHARGEHOUSE_POSTGRES_URL": "postgresql://user@host:port/database"}, "CHARGEHOUSE_POSTGRES_URL"),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, str], named: str, run: Run) -> None:
    assert named in complaint(run("refresh", **ZAPTEC, **variables), command.MISTAKE)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["refresh", "--as-of", "yesterday"], "--as-of"),
        (["refresh", "--as-of", "9999-12-31T23:59:59-05:00"], "--as-of"),
        (["refresh", "--as-of", "2962-11-22"], "--as-of (as_of) 2962-11-22 00:00:00 UTC is in the future"),
        (["refresh", "--vendor", "tesla"], "--vendor tesla: not configured"),
        (["refresh", "--vendor", "zaptec", "smappee"], "--vendor smappee: not configured"),
        (["reconcile", "--months", "0"], "--months"),
        (["reconcile", "--months", "99999999"], "--months"),
        (["backfill", "--from", "2026-02", "--to", "2026-01"], "is after --to"),
        (["backfill", "--from", "soon", "--to", "2026-01"], "--from"),
        (
            ["backfill", "--from", "2026-05", "--to", "2026-06", "--as-of", "2026-04-30"],
            "2026-05 is after the run's as-of instant",
        ),
        (["backfill", "--from", "1000-10", "--to", "1000-11"], "--from"),
        (["backfill", "--from", "2000-01", "--to", "2999-12"], "12000 months; at most 600"),
        (["rebuild", "--to", "2026-01"], "--from"),
        (["backup", "backups", "--keep", "0"], "--keep"),
    ],
)
def test_a_bad_argument_is_named(arguments: list[str], named: str, run: Run) -> None:
    assert named in complaint(run(*arguments, **ZAPTEC), command.MISTAKE)


@pytest.mark.parametrize("arguments", [[], ["refres"], ["sql"], ["backfill"], ["reconcile", "--months", "three"]])
def test_usage_that_cannot_be_read_is_a_mistake(arguments: list[str], run: Run) -> None:
    status, _, told = run(*arguments, **ZAPTEC)
    assert status == command.MISTAKE
    assert "usage:" in told


def test_what_cannot_be_read_is_incomplete_and_named_with_its_cause(run: Run, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wrong = {
        "ZAPTEC_BASE_URL": f"http://127.0.0.1:{port}",
        "JEDLIX_CLIENT_SECRET": "planted-wrong",
        "SMAPPEE_PARK_IDS": "999999",
        "GREENFLUX_TOKEN": "",
    }
    status, _, told = run("refresh", "--as-of", "2026-04-10", **{**sandbox.environment(), **wrong})
    assert status == command.INCOMPLETE
    assert "chargehouse: zaptec installations: the host cannot be reached" in told
    assert "chargehouse: jedlix users: the sign-in was refused (HTTP 401); check the credentials" in told
    assert "chargehouse: smappee open_sessions (park:999999): not found (HTTP 404)" in told
    asked = [request.endpoint for request in sandbox.requests if request.vendor == "jedlix"]
    assert asked == ["token"], "refused credentials are sent once"


def test_what_could_not_be_read_hides_nothing_else_that_failed(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(*_: object, **__: object) -> None:
        raise LakeError("the disk is full; make room")

    sandbox.settings.smappee.denied_scopes = {sandbox.world.parks()[0]}
    monkeypatch.setattr(month_assets, "build_months", disk_is_full)
    names = {name: value for name, value in sandbox.environment().items() if name.startswith("SMAPPEE_")}
    status, _, told = run("refresh", "--as-of", "2026-04-10", **{**names, "CHARGEHOUSE_FIRST_MONTH": "2026-03"})
    assert status == command.INCOMPLETE
    assert "chargehouse: smappee open_sessions (park:" in told
    assert "chargehouse: touched_month: the disk is full; make room" in told
    assert "Not everything could be read" not in told, "each fault stands there once"


def test_a_run_that_fails_outside_its_steps_is_no_success(
    run: Run, small: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Dagster's own executor gives up: no step has failed, and none says why."""

    def gives_up(*_: object, **__: object) -> None:
        raise RuntimeError("the executor gave up")

    monkeypatch.setattr(InProcessExecutor, "execute", gives_up)
    told = complaint(run("refresh", "--as-of", "2026-04-10", **small), command.INCOMPLETE)
    assert re.search(r"run [0-9a-f-]{36} did not succeed", told)


def test_what_was_read_and_not_staged_is_not_told_as_nothing(
    run: Run, small: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(*_: object, **__: object) -> None:
        raise LakeError("the disk is full; make room")

    with monkeypatch.context() as full:
        full.setattr(table_assets, "stage", disk_is_full)
        status, told, _ = run("refresh", "--as-of", "2026-04-10", **small)
    assert status == command.INCOMPLETE
    assert re.search(
        r"^[1-9]\d* rows received and kept in the raw log; the next run stages them\.$", told, re.MULTILINE
    )
    assert run("refresh", "--as-of", "2026-04-10", **small)[0] == command.DONE
    assert int(run("sql", "SELECT count(*) AS n FROM fact_session", **small)[1].split()[2]) > 0


def test_status_tells_of_the_run_that_read_last_whatever_its_now(
    run: Run, small: dict[str, str], sandbox: Sandbox
) -> None:
    refresh = ("refresh", "--as-of", "2026-04-10T06:00:00Z")
    denied = {*small["SMAPPEE_PARK_IDS"].split(",")}
    sandbox.settings.smappee.denied_scopes = denied
    assert run(*refresh, **small)[0] == command.INCOMPLETE
    status, told, _ = run("status", **small)
    assert status == command.INCOMPLETE
    assert "Last run as of 2026-04-10 06:00 UTC: 2 of 2 lists could not be read" in told
    assert "Gaps: the next refresh reads what the last could not" in told

    sandbox.settings.smappee.denied_scopes = set()
    assert run(*refresh, **small)[0] == command.DONE
    status, told, _ = run("status", **small)
    assert status == command.DONE
    assert "Last run as of 2026-04-10 06:00 UTC: everything was read" in told
    assert "Gaps: none." in told

    sandbox.settings.smappee.denied_scopes = denied
    months = ("--from", "2026-03", "--to", "2026-03")
    assert run("backfill", *months, "--as-of", "2026-04-10T06:00:00Z", **small)[0] == command.INCOMPLETE
    assert "2 of 2 lists could not be read" in run("status", **small)[1]


def test_a_backfill_leaves_nothing_missing_that_the_next_refresh_reads(run: Run, small: dict[str, str]) -> None:
    assert run("refresh", "--as-of", "2026-04-10T06:00:00Z", **small)[0] == command.DONE
    months = ("--from", "2026-03", "--to", "2026-03")
    assert run("backfill", *months, "--as-of", "2026-05-01T02:00:00Z", **small)[0] == command.DONE
    told = run("status", **small)[1]
    assert "Last run as of 2026-05-01 02:00 UTC: everything was read" in told
    assert re.findall(r"smappee +(\w+) +(.+)   ", told) == [
        ("open_sessions", "complete 2026-03..2026-04"),
        ("sessions", "complete 2026-03..2026-04"),
    ]


def test_a_rebuild_without_an_account_leaves_coverage_and_radar_as_they_were(run: Run, small: dict[str, str]) -> None:
    assert run("refresh", "--as-of", "2026-04-10T06:00:00Z", **small)[0] == command.DONE
    radar = run("sql", "SELECT * FROM ops.vendor_radar")
    assert "(2 rows)" in radar[1]
    status, told, _ = run("status", **small)
    assert status == command.DONE
    assert "smappee    sessions             complete" in told
    assert run("rebuild")[0] == command.DONE
    assert run("status") == (command.DONE, told, "")
    assert run("sql", "SELECT * FROM ops.vendor_radar") == radar


def test_status_tells_where_no_list_that_was_read_is_asked_any_more(run: Run, small: dict[str, str]) -> None:
    assert run("refresh", "--as-of", "2026-04-10T06:00:00Z", **small)[0] == command.DONE
    assert run("rebuild", **ZAPTEC)[0] == command.DONE
    status, told, _ = run("status", **ZAPTEC)
    assert status == command.DONE
    assert "Coverage: none of the lists read so far is still in use." in told


def test_a_fault_of_ours_in_one_vendors_rows_is_told_once_the_others_are_published(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flawed(pages: object, endpoint: Endpoint, *rest: Any) -> RawRows:
        if endpoint.vendor == "smappee":
            raise ZeroDivisionError("planted")
        return raw_rows(pages, endpoint, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(extraction, "raw_rows", flawed)
    names = {name: value for name, value in sandbox.environment().items() if name.startswith(("SMAPPEE", "JEDLIX"))}
    status, _, told = run("refresh", "--as-of", "2026-04-10", **{**names, "CHARGEHOUSE_FIRST_MONTH": "2026-03"})
    assert status == command.INCOMPLETE
    assert re.search(
        r"^chargehouse: smappee open_sessions \(park:.*\): an internal error of Chargehouse", told, re.MULTILINE
    )
    published = run("sql", "SELECT DISTINCT vendor FROM fact_session")[1]
    assert "jedlix" in published
    assert "smappee" not in published


def test_doctor_tells_what_answers_and_what_does_not(run: Run, sandbox: Sandbox) -> None:
    status, told, _ = run("doctor", **sandbox.environment())
    assert status == command.DONE
    assert [line.split()[1] for line in told.splitlines()[2:]] == ["ok:"] * 4
    sandbox.settings.jedlix.denied_scopes = {"users"}
    status, told, _ = run("doctor", **sandbox.environment())
    assert status == command.INCOMPLETE
    assert "jedlix      FAILED: not allowed (HTTP 403)" in told
    assert "zaptec      ok:" in told


def test_doctor_names_every_park_that_is_refused(run: Run, small: dict[str, str]) -> None:
    parks = {"SMAPPEE_PARK_IDS": f"999998,{small['SMAPPEE_PARK_IDS']},999999"}
    status, told, _ = run("doctor", **{**small, **parks})
    assert status == command.INCOMPLETE
    missing = "not found (HTTP 404); check the configured ids and the base URL."
    assert f"smappee     FAILED: park 999998: {missing} park 999999: {missing}\n" in told


def test_doctor_tells_names_that_are_probably_misspelt(run: Run) -> None:
    known = {"CHARGEHOUSE_ENV_FILE": "", "CHARGEHOUSE_TIME_ZONE": "Europe/Oslo"}
    status, told, _ = run("doctor", CHARGEHOUSE_TIMEZONE="Europe/Oslo", GREENFLUX_TOKE="planted", **known)
    assert status == command.DONE
    assert told.splitlines()[-2:] == [
        "unknown     CHARGEHOUSE_TIMEZONE (misspelt? see .env.example)",
        "unknown     GREENFLUX_TOKE (misspelt? see .env.example)",
    ]


@pytest.mark.parametrize(
    "arguments", [["--port", "99999"], ["--port", "0", "--sessions", "-5"], ["--world", str(PROJECT_FOLDER / "docs")]]
)
def test_a_sandbox_that_cannot_be_meant_is_a_mistake(arguments: list[str], run: Run) -> None:
    status, printed, told = run("sandbox", *arguments)
    assert (status, printed) == (command.MISTAKE, "")
    assert re.fullmatch(r"sandbox: .*(--port must|must be 0 or more|contains no world).*\n", told)


def test_doctor_of_nothing_is_content(run: Run) -> None:
    status, told, _ = run("doctor")
    assert status == command.DONE
    assert told.count("off (no credentials set)") == 4


def test_doctor_tells_that_the_data_folder_cannot_be_written(run: Run, tmp_path: Path) -> None:
    assert "GB free)" in run("doctor")[1].splitlines()[0]
    # Nobody can create a file there, not even root.
    status, told, _ = run("doctor", CHARGEHOUSE_DATA="/proc/chargehouse")
    assert status == command.INCOMPLETE
    assert told.startswith("data        FAILED: /proc is not writable (")


def test_a_rebuild_of_nothing_says_so(run: Run) -> None:
    status, _, told = run("rebuild")
    assert status == command.DONE
    assert re.match(r"chargehouse: nothing has been read into .* yet: the warehouse is empty\n", told)


@pytest.mark.parametrize("name", ["sql", "status"])
def test_before_the_first_refresh_there_is_a_hint(name: str, run: Run) -> None:
    status, out, told = run(name, *(["SELECT 1"] if name == "sql" else []))
    assert "chargehouse refresh" in out + told
    assert status == (command.INCOMPLETE if name == "sql" else command.DONE)


def test_a_refresh_then_sql_with_and_without_mistakes(run: Run, small: dict[str, str]) -> None:
    status, told, progress = run("refresh", "--as-of", "2026-04-10", **small)
    assert status == command.DONE
    assert "rows received" in told
    assert "refresh as of 2026-04-10 00:00:00 UTC: smappee" in told
    assert "\r" not in progress, "plain lines where there is no terminal"
    assert run("sql", "SELECT count(*) AS sessions FROM fact_session")[0] == command.DONE
    for wrong in ("SELECT nothing FROM fact_session", "SELECT 'x'::INTEGER"):
        complaint(run("sql", wrong), command.INCOMPLETE)
    for no_select in ("SELEC 1", "DROP VIEW fact_session", "SELECT 1; SELECT 2", ""):
        complaint(run("sql", no_select), command.MISTAKE)
    status, told, _ = run("status", **small)
    assert status == command.DONE
    assert "Gaps: none." in told
    status, told, _ = run("refresh", "--as-of", "2026-04-01", **small)
    assert status == command.DONE, "a now behind the watermarks"
    assert "Nothing was read: an earlier run already read up to 2026-04-10 00:00:00 UTC" in told
    told = run("reconcile", "--as-of", "2026-04-01", **small)[1]
    assert "Nothing was read" in told
    assert "Healed" not in told


def test_a_lost_key_of_the_pseudonyms_is_told_and_no_other_is_made(
    run: Run, small: dict[str, str], tmp_path: Path
) -> None:
    assert run("refresh", "--as-of", "2026-04-01", **small)[0] == command.DONE
    key = tmp_path / "data" / "pseudonym.key"
    content = key.read_text()
    for make_bad, said in ((key.unlink, "is missing"), (key.touch, "is empty")):
        make_bad()
        told = complaint(run("refresh", "--as-of", "2026-04-10", **small), command.MISTAKE)
        assert told.startswith(f"chargehouse: {key} {said}")
        assert content not in told
    key.write_text(content)
    assert run("refresh", "--as-of", "2026-04-10", **small)[0] == command.DONE


def test_a_data_folder_that_moved_is_told_and_mended_by_a_refresh(
    run: Run, small: dict[str, str], tmp_path: Path
) -> None:
    assert run("refresh", "--as-of", "2026-04-10", **small)[0] == command.DONE
    (tmp_path / "data").rename(tmp_path / "moved")
    here = {**small, "CHARGEHOUSE_DATA": str(tmp_path / "moved")}
    ask = ["sql", "SELECT count(*) FROM fact_session"]
    assert "was moved or copied" in complaint(run(*ask, **here), command.INCOMPLETE)
    assert run("refresh", "--as-of", "2026-04-10", **here)[0] == command.DONE
    assert run(*ask, **here)[0] == command.DONE


def test_the_status_tells_how_late_sessions_came_once_some_have_come_since_the_first_refresh(
    run: Run, small: dict[str, str]
) -> None:
    for _ in range(2):
        assert run("refresh", "--as-of", "2026-03-20", **small)[0] == command.DONE
        assert "Late rows: nothing to report yet; every session came with the first" in run("status")[1]
    assert run("refresh", "--as-of", "2026-04-10", **small)[0] == command.DONE
    told = run("status")[1]
    assert "Late rows: sessions that had ended before a reading, but only a later one found them" in told
    assert re.search(r"^  smappee +\d+ of [1-9]\d*", told, re.MULTILINE)


def test_the_command_runs_as_a_module_of_its_own() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pipelines.command", "refresh", "--as-of", "soon"],
        cwd=PROJECT_FOLDER,
        env={**outside(), **ZAPTEC, "PYTHONPATH": str(PROJECT_FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == command.MISTAKE
    assert process.stdout == ""
    assert process.stderr == ("chargehouse: --as-of must be an instant such as 2026-03-01T06:00:00Z, not 'soon'.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_what_cannot_be_printed_is_no_success_and_no_traceback(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "pipelines.command", "status"],
            cwd=PROJECT_FOLDER,
            env={**outside(), "CHARGEHOUSE_DATA": str(tmp_path), "PYTHONPATH": str(PROJECT_FOLDER)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == command.INCOMPLETE
    assert process.stderr == "chargehouse: some output was lost (No space left on device)\n"


def begun(arguments: Sequence[str], data: Path, redirection: str = "", **variables: str) -> Told:
    """A command as a process of its own, behind a shell that may close its output."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith((*PREFIXES, "PYTHON"))}
    process = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "pipelines.command", *arguments],
        cwd=PROJECT_FOLDER,
        env={**outside, "CHARGEHOUSE_DATA": str(data), "PYTHONPATH": str(PROJECT_FOLDER), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_is_no_fault(redirection: str, tmp_path: Path) -> None:
    status, _, told = begun(["status"], tmp_path, redirection)
    assert (status, told) == (command.DONE, "")


def test_a_complaint_that_nobody_wants_is_not_printed_instead_of_the_answer(tmp_path: Path) -> None:
    assert begun(["refresh"], tmp_path, "2>&-") == (command.MISTAKE, "", "")


def test_every_name_can_be_printed_in_any_encoding(tmp_path: Path) -> None:
    publish(Lake(tmp_path / LAKE_FOLDER), tmp_path / DATABASE)
    status, told, _ = begun(["sql", "SELECT 'Tromsø' AS place"], tmp_path, PYTHONIOENCODING="ascii")
    assert status == command.DONE
    assert "Troms\\xf8" in told


def test_status_tells_of_tables_that_were_built_and_not_published(
    run: Run, small: dict[str, str], tmp_path: Path
) -> None:
    assert run("refresh", "--as-of", "2026-04-10", **small)[0] == command.DONE
    status, told, _ = run("status", **small)
    assert (status, "Not published" in told) == (command.DONE, False)
    (tmp_path / "data" / DATABASE).unlink()
    status, told, _ = run("status", **small)
    assert status == command.INCOMPLETE
    assert "Not published: " in told
    assert "fact_session" in told
    assert run("rebuild", **small)[0] == command.DONE
    assert run("status", **small)[0] == command.DONE
