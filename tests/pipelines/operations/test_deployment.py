"""The files of a deployment, as far as they can be tried without systemd or containers, and the two services."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from shutil import which

import dagster as dg
import psycopg2
import pytest
import urllib3
import yaml
from dagster._core.instance.config import dagster_instance_config

from pipelines import command
from pipelines.faults import ConfigurationError
from pipelines.orchestration.instance import prepare_dagster_home
from pipelines.settings import PROJECT_FOLDER, load_settings
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.outside import outside
from tests.pipelines.conftest import NOW
from tests.pipelines.orchestration.postgresql import PASSWORD, postgresql_server
from tests.processes import answers, free_port, wait_until

DEPLOY = PROJECT_FOLDER / "deploy"
SERVICES = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / name)
    return parser


def test_the_units_are_these() -> None:
    assert UNITS == [
        "chargehouse-backup.service",
        "chargehouse-backup.timer",
        "chargehouse-daemon.service",
        "chargehouse-webserver.service",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_command_that_exists_as_nobody_special(name: str) -> None:
    service = unit(name)["Service"]
    program, *arguments = service["ExecStart"].split()
    assert program == "/opt/chargehouse/.venv/bin/chargehouse"
    command._parser().parse_args(arguments)
    assert (service["User"], service["Group"]) == ("chargehouse", "chargehouse")
    assert service["EnvironmentFile"] == "/etc/chargehouse/environment"
    for setting, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "UMask": "0077",
    }.items():
        assert service[setting] == value, setting


def test_the_documented_command_is_called_as_the_services_call_it() -> None:
    told = (PROJECT_FOLDER / "docs" / "operations.md").read_text()
    function = told[told.index("as_service() {") : told.index("\n}\n") + 3]
    called = [line.partition("#")[0] for line in told.splitlines() if line.startswith("as_service chargehouse ")]
    assert len(called) == 7
    for call in called:
        # A stand-in for systemd-run that prints its arguments.
        script = f'systemd-run() {{ printf "%s\\n" "$@"; }}\n{function}{call}'
        words = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S607
        place = words.index("/opt/chargehouse/.venv/bin/chargehouse")
        command._parser().parse_args(words[place + 1 :])
        pairs = set(pairwise(words[:place]))
        service = unit("chargehouse-daemon.service")["Service"]
        assert ("--uid", service["User"]) in pairs
        assert ("--working-directory", service["WorkingDirectory"]) in pairs
        assert ("--setenv", service["Environment"]) in pairs
        for setting in ("EnvironmentFile", "StateDirectory", "StateDirectoryMode", "UMask"):
            assert ("--property", f"{setting}={service[setting]}") in pairs


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    analyze = which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        # The program has to exist where systemd looks for it.
        (tmp_path / name).write_text(text.replace("/opt/chargehouse/.venv/bin/chargehouse", "/bin/true"))
    paths = [str(tmp_path / name) for name in UNITS]
    verdict = subprocess.run([analyze, "verify", "--man=no", *paths], capture_output=True, text=True, check=False)
    complaints = [line for line in verdict.stderr.splitlines() if any(name in line for name in UNITS)]
    assert complaints == []
    for name in SERVICES:
        exposure = subprocess.run(
            [analyze, "security", "--offline=yes", "--threshold=20", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert exposure.returncode == 0, exposure.stdout


def test_the_container_is_an_ordinary_user_s_pinned_and_holds_no_secret() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    bases = [line.split()[1] for line in lines if line.startswith("FROM python:")]
    assert len(set(bases)) == 1
    # No registry is named: the image comes from wherever the builder is configured to look.
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases[0])
    final = text[text.index(" AS chargehouse") :]
    assert "\nUSER 10001:10001\n" in final
    assert "USER root" not in text
    assert text.count("HEALTHCHECK") == 2
    # Without `--format docker`, podman drops the health checks.
    told = text + (PROJECT_FOLDER / "docs" / "operations.md").read_text()
    builds = [line for line in told.splitlines() if "podman build " in line]
    assert len(builds) == 4
    assert all("--format docker" in line for line in builds)
    assert "--constraint constraints.txt" in text
    copied = {name for line in lines if line.startswith("COPY") and "--from" not in line for name in line.split()[1:-1]}
    assert not {name for name in copied if name.startswith((".", "*")) or name in ("data", "tests")}
    assert all((PROJECT_FOLDER / name).exists() for name in copied)
    packages = {"pipelines", "transforms", "warehouse", "sandbox"}
    assert packages <= copied
    assert {"dagster.yaml", "workspace.yaml", "deploy/dagster.postgresql.yaml", "constraints.txt"} <= copied
    # Whatever a build needs besides the base image is found through pip's own configuration.
    assert not re.search(r"https?://(?!127\.0\.0\.1)", text)
    for line in lines:
        if line.lstrip().startswith("CMD [") and "chargehouse" not in line and "urllib" not in line:
            arguments = [word.strip('",') for word in line[line.index("[") + 1 : line.index("]")].split()]
            if arguments[0] in ("daemon", "webserver"):
                command._parser().parse_args(arguments)


def test_the_builder_is_handed_nothing_but_what_is_copied() -> None:
    patterns = (PROJECT_FOLDER / ".containerignore").read_text().splitlines()
    assert [pattern for pattern in patterns if not pattern.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    handed = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert handed == {name.partition("/")[0] for names in copies for name in names.split()}
    assert (PROJECT_FOLDER / ".dockerignore").read_text() == (PROJECT_FOLDER / ".containerignore").read_text()


def test_the_two_instances_differ_in_their_storage_alone() -> None:
    sqlite = yaml.safe_load((PROJECT_FOLDER / "dagster.yaml").read_text())
    postgresql = yaml.safe_load((DEPLOY / "dagster.postgresql.yaml").read_text())
    storage = postgresql.pop("storage")
    sqlite.pop("storage", None)
    assert postgresql == sqlite
    assert storage == {"postgres": {"postgres_url": {"env": "CHARGEHOUSE_POSTGRES_URL"}}}


def test_dagster_takes_the_configuration_of_postgresql(tmp_path: Path) -> None:
    pytest.importorskip("dagster_postgres", reason="the extra `postgres` is not installed")
    url = "postgresql://chargehouse:secret@127.0.0.1/chargehouse"
    settings = load_settings({"CHARGEHOUSE_POSTGRES_URL": url}, tmp_path / ".env")
    home = prepare_dagster_home(tmp_path / "data", settings.postgres_url)
    configuration, _ = dagster_instance_config(str(home))
    assert configuration["storage"] == {"postgres": {"postgres_url": {"env": "CHARGEHOUSE_POSTGRES_URL"}}}
    assert "secret" not in (home / "dagster.yaml").read_text()
    assert os.environ["CHARGEHOUSE_POSTGRES_URL"] == url.replace("postgresql", "postgresql+psycopg2")
    prepare_dagster_home(tmp_path / "data")
    assert "postgres" not in str(dagster_instance_config(str(home))[0].get("storage"))


def test_without_the_extra_postgresql_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.orchestration.instance.find_spec", lambda name: None)
    settings = load_settings({"CHARGEHOUSE_POSTGRES_URL": "postgresql://h/d"}, tmp_path / ".env")
    with pytest.raises(ConfigurationError, match="extra `postgres`"):
        prepare_dagster_home(tmp_path / "data", settings.postgres_url)


@contextmanager
def service(variables: Mapping[str, str], *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """One of the services as a process, as systemd would start it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.command", *arguments],
        env={**outside(), **variables, "PYTHONPATH": str(PROJECT_FOLDER), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=PROJECT_FOLDER,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
        assert process.poll() is None, "it ended by itself"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_the_two_services_run_over_sqlite(tmp_path: Path) -> None:
    variables = {"CHARGEHOUSE_DATA": str(tmp_path / "data")}
    port = free_port()
    with service(variables, "daemon"), service(variables, "webserver", "--port", str(port)):
        wait_until(lambda: answers(port), "an answer of the web server")
        home = tmp_path / "data" / "dagster"

        def beats() -> bool:
            with dg.DagsterInstance.from_config(str(home)) as instance:
                return "SENSOR" in instance.get_daemon_heartbeats()

        os.environ.setdefault("DAGSTER_HOME", str(home))
        wait_until(beats, "a sign of life of the daemon")


def test_runs_daemon_and_web_server_share_a_real_postgresql(tmp_path: Path, sandbox: Sandbox) -> None:
    with postgresql_server() as url:
        variables = {"CHARGEHOUSE_DATA": str(tmp_path / "data"), "CHARGEHOUSE_POSTGRES_URL": url}
        house = Chargehouse(tmp_path / "data", sandbox, CHARGEHOUSE_FIRST_MONTH="2026-01", **variables)
        refresh = ["refresh", "--as-of", NOW.isoformat(), "--vendor", "smappee"]
        assert house.run(*refresh) == command.DONE
        assert rows(url, "SELECT status FROM runs") == [("SUCCESS",)]
        assert list((tmp_path / "data" / "dagster").rglob("*.db")) == []
        port = free_port()
        with service(variables, "daemon"), service(variables, "webserver", "--port", str(port)):
            wait_until(lambda: answers(port), "an answer of the web server")
            wait_until(
                lambda: ("SENSOR",) in rows(url, "SELECT daemon_type FROM daemon_heartbeats"),
                "a sign of life of the daemon",
            )
            query = {"query": "{ runsOrError { ... on Runs { results { status jobName } } } }"}
            answer = urllib3.request("POST", f"http://127.0.0.1:{port}/graphql", json=query).json()
            assert answer["data"]["runsOrError"]["results"] == [{"status": "SUCCESS", "jobName": "refresh"}]
        written = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


def test_a_postgresql_that_is_not_there_is_one_line_without_the_password(
    tmp_path: Path, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://chargehouse:{PASSWORD}@127.0.0.1:{free_port()}/chargehouse"
    variables = {"CHARGEHOUSE_FIRST_MONTH": "2026-01", "CHARGEHOUSE_POSTGRES_URL": url}
    house = Chargehouse(tmp_path / "data", sandbox, **variables)
    assert house.run("refresh", "--as-of", NOW.isoformat(), "--vendor", "smappee") == command.INCOMPLETE
    told = capfd.readouterr()
    assert told.err.startswith("chargehouse: the history of runs in PostgreSQL cannot be reached or written")
    assert told.err.count("\n") == 1
    assert PASSWORD not in told.out + told.err


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """The rows that the database answers; none before Dagster has created its tables."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    except psycopg2.errors.UndefinedTable:
        return []
    finally:
        connection.close()
