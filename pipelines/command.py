"""The command line.

Exit status: 0 all done; 1 something failed or is incomplete; 2 configuration or usage; 130 the run was stopped.
"""

import argparse
import atexit
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from pipelines.faults import AnotherRunError, BackupError, ConfigurationError
from pipelines.raw import questions
from pipelines.settings import Settings, load_settings
from pipelines.vendors.contract import Question
from warehouse.errors import WarehouseError

DONE, INCOMPLETE, MISTAKE, STOPPED = 0, 1, 2, 130

DEFAULT = "(default: %(default)s)"
"""How argparse's help shows the default of an option."""


def program() -> NoReturn:
    """The command line as a process. It ends with `os._exit`: releasing its memory would take half a second."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup SIGHUP is ignored, and must stay so.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    _open_output()
    status = main()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as fault:
        status = status or _complain(f"some output was lost ({fault.strerror})", INCOMPLETE)
    os._exit(status)


def _open_output() -> None:
    """Make sure that printing works without standard streams, and for every name in any encoding."""
    if sys.stdout is None:
        # Also so that no file opened later becomes the standard output of a child process.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 -- open as long as the process
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 -- open as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Foreseeable faults are one line on stderr, never a traceback."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigurationError as fault:
        return _complain(str(fault), MISTAKE)
    except (WarehouseError, AnotherRunError, BackupError) as fault:
        return _complain(str(fault), INCOMPLETE)
    except OSError as fault:
        return _complain(f"{fault.strerror or fault}{f': {fault.filename}' if fault.filename else ''}", INCOMPLETE)
    except KeyboardInterrupt:
        # If the terminal is gone, there is nobody to tell.
        with suppress(OSError):
            told = "chargehouse: stopped; run the same command again to finish"
            print(told, file=sys.stderr, flush=True)
        # Threads that wait for a vendor must not keep the process alive: the next run repairs whatever it leaves.
        os._exit(STOPPED)


def _complain(message: str, status: int) -> int:
    print(f"chargehouse: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chargehouse", description="Charging data of four platforms in one warehouse, pulled incrementally."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    def add_reading(name: str, text: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = add(name, text, command)
        added.add_argument("--as-of", metavar="T", default="", help="the run's as-of instant, ISO 8601 (default: now)")
        added.add_argument("--vendor", metavar="V", nargs="+", action="extend", default=[], help="only these vendors")
        added.add_argument(
            "--accept-new-host",
            action="store_true",
            help="confirm that the vendors' base URLs changed, but not the accounts",
        )
        added.add_argument(
            "--accept-new-key",
            action="store_true",
            help="confirm that the pseudonym key is lost: from now on every person gets a new pseudonym",
        )
        return added

    add_reading("refresh", "Pull everything new, rebuild the months it touches, publish.", _refresh)
    reconcile = add_reading("reconcile", "Read the last months again and heal what differs.", _reconcile)
    reconcile.add_argument(
        "--months",
        type=int,
        default=questions.RECONCILED_MONTHS,
        metavar="N",
        help=f"how many months, including the current one {DEFAULT}",
    )
    backfill = add_reading("backfill", "Read some months again and rebuild them.", _backfill)
    backfill.add_argument("--from", dest="from_month", required=True, metavar="YYYY-MM")
    backfill.add_argument("--to", dest="to_month", required=True, metavar="YYYY-MM")
    rebuild = add("rebuild", "Rebuild everything, or some months, from the raw log alone.", _rebuild)
    rebuild.add_argument("--from", dest="from_month", default="", metavar="YYYY-MM")
    rebuild.add_argument("--to", dest="to_month", default="", metavar="YYYY-MM")
    forget = add("forget", "Erase one person everywhere, and keep them out; their sessions' energy stays.", _forget)
    forget.add_argument("--vendor", metavar="V", required=True)
    forget.add_argument("--user", metavar="ID", required=True, help="the vendor's id of the user, driver or card")
    add("status", "Show the last run, coverage, gaps, how late rows arrived, the oldest running session.", _status)
    sql = add("sql", "Query the published warehouse, read-only.", _sql)
    sql.add_argument("query", metavar="SELECT")
    add(
        "doctor",
        "Check configuration and credentials with one small request to each vendor (Smappee: to each park).",
        _doctor,
    )
    run = add("run", "Refresh and show the result; reads the sandbox if no vendor is configured.", _run)
    run.add_argument("--as-of", metavar="T", default="", help="the run's as-of instant, ISO 8601 (default: now)")
    interface = add("ui", "Serve the Dagster web UI on this machine.", _ui)
    interface.add_argument("--port", type=int, default=3000, help=DEFAULT)
    backup = add("backup", "Add a backup to a folder: everything that a run needs to continue.", _backup)
    backup.add_argument("folder", type=Path, metavar="FOLDER")
    backup.add_argument("--keep", type=int, metavar="N", help="remove all but the newest N (default: keep all)")
    restored = add("restore", "Restore a backup, if there is no data yet, and publish it.", _restore)
    restored.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder with backups (restores the newest), or of one backup"
    )
    add("daemon", "Run Dagster's daemon: schedules, sensors, alerts, queued runs. For a service manager.", _daemon)
    webserver = add("webserver", "Run only Dagster's web server. For a service manager.", _webserver)
    webserver.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    webserver.add_argument("--port", type=int, default=3000, help=DEFAULT)
    webserver.add_argument("--read-only", action="store_true", help="show everything, start nothing")
    sandbox = add("sandbox", "Simulate the four vendors' APIs on this machine, with invented data.", _sandbox)
    sandbox.add_argument("--port", type=int, default=9000, help=f"0: any free port {DEFAULT}")
    sandbox.add_argument("--seed", type=int, default=7, help=f"seed of the invented world {DEFAULT}")
    sandbox.add_argument("--as-of", metavar="T", default="", help="the sandbox's current time, ISO 8601 (default: now)")
    sandbox.add_argument("--sessions", type=int, default=6_000, metavar="N", help=f"number of sessions {DEFAULT}")
    sandbox.add_argument("--faults", default="", metavar="F", help="faults to inject, such as mixed:0.12")
    sandbox.add_argument(
        "--world", type=Path, metavar="FOLDER", help="read the world from files instead of inventing one"
    )
    return parser


def _refresh(options: argparse.Namespace) -> int:
    settings = _reading_settings(options)
    return _run_reading(settings, options.vendor, questions.refresh(settings, questions.run_instant(options.as_of)), {})


def _reconcile(options: argparse.Namespace) -> int:
    settings = _reading_settings(options)
    question = questions.reconcile(settings, questions.run_instant(options.as_of), options.months)
    return _run_reading(settings, options.vendor, question, {"months": options.months})


def _backfill(options: argparse.Namespace) -> int:
    settings = _reading_settings(options)
    months = {"from_month": options.from_month, "to_month": options.to_month}
    question = questions.backfill(settings, questions.run_instant(options.as_of), **months)
    return _run_reading(settings, options.vendor, question, months)


def _reading_settings(options: argparse.Namespace) -> Settings:
    settings = load_settings()
    if not settings.vendors:
        raise ConfigurationError("no vendor is configured. Set its variables (see .env.example), or try `make run`.")
    for vendor in options.vendor:
        if vendor not in settings.vendors:
            raise ConfigurationError(f"--vendor {vendor}: not configured. Configured: {', '.join(settings.vendors)}.")
    return replace(settings, are_new_hosts_accepted=options.accept_new_host, is_new_key_accepted=options.accept_new_key)


def _run_reading(settings: Settings, vendors: Sequence[str], question: Question, details: Mapping[str, object]) -> int:
    from pipelines.raw.memory import collect_rarely

    # Before the imports, which create more objects than a refresh that finds nothing new.
    collect_rarely()
    from pipelines.operations.runs import run_job
    from pipelines.operations.summary import has_read, healed, received
    from pipelines.raw.accounts import refuse_other_data
    from pipelines.raw.forgotten import refuse_forgotten
    from pipelines.raw.progress import Progress
    from pipelines.raw.pseudonym_key import pseudonyms_of
    from pipelines.raw.raw_log import RawLog

    asked_vendors = [vendor for vendor in settings.vendors if not vendors or vendor in vendors]
    # The run checks all this again, for runs that Dagster starts. Here, a command that cannot begin says only that.
    questions.refuse_the_future(settings, asked_vendors, question.as_of)
    origins = RawLog(settings.data).positions().origins
    refuse_other_data(settings, asked_vendors, origins)
    for vendor in asked_vendors:
        refuse_forgotten(settings, vendor, pseudonyms_of(vendor, settings, origins))
    print(f"{question.kind} as of {question.as_of:%Y-%m-%d %H:%M:%S} UTC: {', '.join(asked_vendors)}", flush=True)
    reach = {"kind": question.kind, "as_of": question.as_of.isoformat(), **details}
    outcome = run_job(settings, question.kind, Progress.on_stderr(), asked_vendors, {"raw_log": reach})
    print(received(settings.data, outcome.run_id, question.as_of, asked_vendors))
    if question.kind != "refresh" and has_read(settings.data, outcome.run_id):
        print(healed(settings.data, outcome.run_id, question.kind))
    # Where both streams go to one file, this keeps what was received ahead of the faults.
    sys.stdout.flush()
    return _verdict(outcome.faults)


def _verdict(faults: Sequence[str]) -> int:
    for fault in faults:
        print(f"chargehouse: {fault}", file=sys.stderr)
    return INCOMPLETE if faults else DONE


def _rebuild(options: argparse.Namespace) -> int:
    from pipelines.operations.runs import run_job
    from pipelines.raw.progress import Progress
    from pipelines.raw.raw_log import RawLog

    settings = load_settings()
    months: dict[str, object] = {}
    if options.from_month or options.to_month:
        questions.check_months(options.from_month, options.to_month)
        months = {"from_month": options.from_month, "to_month": options.to_month}
    if RawLog(settings.data).newest_load() is None:
        print(f"chargehouse: nothing has been read into {settings.data} yet: the warehouse is empty", file=sys.stderr)
    configuration = {"staged_tables": {"from_raw": True, **months}}
    return _verdict(run_job(settings, "rebuild", Progress.on_stderr(), (), configuration).faults)


def _forget(options: argparse.Namespace) -> int:
    from pipelines.operations.erasure import erase_from_raw_log, remove_older_versions
    from pipelines.operations.runs import run_job
    from pipelines.operations.summary import counted
    from pipelines.raw.progress import Progress

    settings, progress = load_settings(), Progress.on_stderr()

    def report_waiting() -> None:
        progress.on_stage("waiting for another run that reads or writes")

    before = counted(settings.data)
    erased = erase_from_raw_log(settings, options.vendor, options.user, report_waiting)
    found = (
        f"Erased from the raw log: the person in {len(erased.session_ids):,} sessions, which stay, and "
        f"{len(erased.object_ids):,} objects of their own."
        if erased.session_ids or erased.object_ids
        else "The raw log holds nothing about this person; they are kept out from now on."
    )
    print(found, flush=True)
    outcome = run_job(settings, "rebuild", progress, (), {"staged_tables": {"from_raw": True}})
    if outcome.faults:
        print("The tables still hold data of the person: fix the cause, and run this again.", file=sys.stderr)
        return _verdict(outcome.faults)
    remove_older_versions(settings.data, report_waiting)
    print(f"Before   {before}\nNow      {counted(settings.data)}")
    print("Backups and copies made earlier may still hold data of the person.")
    return DONE


def _status(options: argparse.Namespace) -> int:
    from pipelines.operations.status import status_text

    text, is_whole = status_text(load_settings().data)
    print(text)
    return DONE if is_whole else INCOMPLETE


def _sql(options: argparse.Namespace) -> int:
    from pipelines.layout import DATABASE
    from warehouse.errors import StatementError
    from warehouse.query import query, render

    try:
        print(render(query(load_settings().data / DATABASE, options.query)))
    except StatementError as fault:
        raise ConfigurationError(str(fault)) from fault
    return DONE


def _doctor(options: argparse.Namespace) -> int:
    from pipelines.operations.doctor import examine

    lines, all_well = examine(load_settings())
    print("\n".join(lines))
    return DONE if all_well else INCOMPLETE


def _run(options: argparse.Namespace) -> int:
    from pipelines.operations.demonstration import sandboxed

    settings, as_of = load_settings(), questions.run_instant(options.as_of)
    if settings.vendors:
        return _run_and_show(settings, as_of)
    print(
        "No vendor is configured: this run reads the SANDBOX, which simulates all four with invented data.\n"
        "For your own chargers, copy .env.example to .env, fill in your accounts, and set CHARGEHOUSE_DATA to another "
        "folder: this one belongs to the sandbox from now on."
    )
    with sandboxed(settings, as_of) as demonstration:
        return _run_and_show(demonstration, as_of)


def _run_and_show(settings: Settings, as_of: datetime) -> int:
    from pipelines.operations.summary import energy_by_month, where_to_look

    status = _run_reading(settings, (), questions.refresh(settings, as_of), {})
    print(f"\nkWh by month\n{energy_by_month(settings.data)}\n\nWhere to look")
    print(where_to_look(settings.data))
    return status


def _ui(options: argparse.Namespace) -> int:
    from pipelines.operations.web_interface import serve

    return serve(load_settings(), options.port)


def _backup(options: argparse.Namespace) -> int:
    from pipelines.operations.backup import back_up

    backup = back_up(load_settings().data, options.folder.resolve(), options.keep)
    print(
        f"{backup.folder}: {len(backup.files):,} files, {backup.size_bytes / 1e6:,.1f} MB; new: "
        f"{backup.new_files:,} files, {backup.new_bytes / 1e6:,.1f} MB"
    )
    return DONE


def _restore(options: argparse.Namespace) -> int:
    from pipelines.operations.backup import restore

    settings = load_settings()
    backup = restore(settings.data, options.folder.resolve())
    print(f"{backup.folder}: {len(backup.files):,} files restored to {settings.data} and published")
    return DONE


def _daemon(options: argparse.Namespace) -> int:
    from pipelines.operations.services import become_daemon

    return become_daemon(load_settings())


def _webserver(options: argparse.Namespace) -> int:
    from pipelines.operations.services import become_webserver

    return become_webserver(load_settings(), options.host, options.port, is_read_only=options.read_only)


def _sandbox(options: argparse.Namespace) -> int:
    from sandbox.command import serve

    return serve(
        port=options.port,
        seed=options.seed,
        sessions=options.sessions,
        as_of=questions.run_instant(options.as_of) if options.as_of else None,
        faults=options.faults or None,
        world_folder=options.world,
    )


if __name__ == "__main__":
    program()
