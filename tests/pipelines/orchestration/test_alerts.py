"""When an alert is due: real runs in a real instance, alerts to a real web server and a real mail server."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.sensor import execute_sensor_iteration

from pipelines.faults import AlertError
from pipelines.orchestration.alerts import RUNS_AT_ONCE, build_alert_sensors
from pipelines.orchestration.step_causes import incomplete
from pipelines.settings import PROJECT_FOLDER, Settings
from tests.pipelines.orchestration.receivers import (
    MAIL,
    SECRET_PATH,
    Channel,
    Mailbox,
    mail_settings,
    settings_of,
    webhook_settings,
)
from warehouse.errors import LakeError

UNREAD = "zaptec sessions (installation:a1): rate limited (HTTP 429)."


class Person(Exception):
    """An unforeseen exception whose message quotes a row."""


class World:
    """What the runs of a test find: whether they fail, and how the checks come out."""

    fault: Exception | None = None
    checks: dict[str, tuple[bool, dg.AssetCheckSeverity, str, int]]


@pytest.fixture
def world() -> World:
    world = World()
    world.checks = {}
    return world


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance over SQLite files, like the default one."""
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as opened:
        yield opened


class Alerting:
    """The sensors over an instance: runs take place, ticks come, and the sensors' cursors are kept as by the daemon."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, world: World) -> None:
        self.instance, self.world = instance, world
        self.sensors = {sensor.name: sensor for sensor in build_alert_sensors(settings)}
        self.cursors: dict[str, str | None] = dict.fromkeys(self.sensors)
        self.tick_all()

    def run(self, name: str = "refresh") -> str:
        world = self.world

        @dg.asset(
            key=["ops", "load_audit"],
            check_specs=[dg.AssetCheckSpec(each, asset=dg.AssetKey(["ops", "load_audit"])) for each in ALL],
        )
        def step() -> Iterator[object]:
            yield dg.MaterializeResult(
                asset_key=["ops", "load_audit"],
                check_results=[
                    dg.AssetCheckResult(
                        passed=passed,
                        check_name=check,
                        severity=severity,
                        description=description,
                        metadata={"rows": rows, "text": "a text that is not told"},
                    )
                    for check, (passed, severity, description, rows) in {
                        **dict.fromkeys(ALL, (True, dg.AssetCheckSeverity.ERROR, "", 0)),
                        **world.checks,
                    }.items()
                ],
            )
            if world.fault is not None:
                raise world.fault

        job = dg.Definitions(
            assets=[step], jobs=[dg.define_asset_job(name, executor_def=dg.in_process_executor)]
        ).resolve_job_def(name)
        return job.execute_in_process(instance=self.instance, raise_on_error=False).run_id

    def tick(self, name: str) -> str | None:
        """One tick; returns what it says it did. A tick that raises leaves the cursor as it was."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursors[name])
        result = self.sensors[name].evaluate_tick(context)
        self.cursors[name] = result.cursor
        return result.skip_message

    def tick_all(self) -> None:
        for name in self.sensors:
            self.tick(name)


ALL = ["nothing_unaccounted", "freshness"]
FAILED, CHECKS = "alert_failed_runs_by_webhook", "alert_checks_by_webhook"


def test_without_a_place_to_go_there_is_no_sensor() -> None:
    assert build_alert_sensors(settings_of()) == []


def test_with_a_place_to_go_its_sensors_run_from_the_start(channel: Channel, mailbox: Mailbox) -> None:
    both = {**MAIL, "CHARGEHOUSE_ALERT_SMTP_PORT": str(mailbox.port)}
    sensors = build_alert_sensors(webhook_settings(channel, **both))
    assert [sensor.name for sensor in sensors] == [
        "alert_failed_runs_by_webhook",
        "alert_checks_by_webhook",
        "alert_failed_runs_by_mail",
        "alert_checks_by_mail",
    ]
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}
    dg.Definitions.validate_loadable(dg.Definitions(sensors=sensors))


def test_a_failed_run_is_told_once_with_its_cause_and_a_link(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel, CHARGEHOUSE_UI_URL="http://warehouse.lan:3000/"), instance, world)
    world.fault = incomplete("Not everything could be read.", [UNREAD])
    run_id = alerting.run()
    alerting.tick(FAILED)
    alerting.tick(FAILED)
    [text] = channel.texts
    assert channel.paths == [SECRET_PATH]
    assert text.startswith("*Chargehouse: refresh failed*\n")
    assert UNREAD in text
    assert "To do: nothing for now" in text
    assert f"http://warehouse.lan:3000/runs/{run_id}" in text
    assert "text that is not told" not in text


def test_what_happened_before_the_sensor_was_on_and_runs_that_succeed_are_not_told(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    world.fault = dg.Failure("before")
    Alerting(webhook_settings(channel), instance, world).run()
    alerting = Alerting(webhook_settings(channel), instance, world)
    world.fault = None
    alerting.run()
    assert alerting.tick(FAILED) == "Nothing new to report."
    assert channel.texts == []


def test_a_foreseen_fault_is_told_and_the_words_of_any_other_are_not(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    for fault in (LakeError("fact_energy: the disk is full"), Person("Ola Nordmann, RFID 04AABB"), Person()):
        world.fault = fault
        alerting.run()
        alerting.tick(FAILED)
    foreseen, unforeseen, wordless = channel.texts
    assert "ops__load_audit: fact_energy: the disk is full" in foreseen
    assert "open the run" in foreseen
    for text in (unforeseen, wordless):
        assert "an unexpected error (Person)" in text
        assert "Nordmann" not in text


def test_a_run_whose_process_died_is_told(channel: Channel, instance: dg.DagsterInstance, world: World) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    run = instance.create_run_for_job(dg.GraphDefinition(name="refresh").to_job(), status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "Its process was ended.")
    alerting.tick(FAILED)
    assert "ended outside any step" in channel.texts[0]


def test_an_alert_that_cannot_be_delivered_fails_the_tick_and_is_told_later(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    world.fault = incomplete("Not everything could be read.", [UNREAD])
    alerting.run()
    channel.status = 503
    for _ in range(2):
        with pytest.raises(AlertError, match=r"the webhook at 127\.0\.0\.1 refused the alert \(HTTP 503\)"):
            alerting.sensors[FAILED].evaluate_tick(
                dg.build_sensor_context(instance=instance, cursor=alerting.cursors[FAILED])
            )
    channel.status = 200
    alerting.tick(FAILED)
    assert len(channel.texts) == 1


def test_what_was_told_before_the_receiver_failed_is_not_told_again(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    for number in range(3):
        world.fault = dg.Failure(f"fault number {number}")
        alerting.run()
    channel.most = 2
    alerting.tick(FAILED)
    assert len(channel.texts) == 2
    with pytest.raises(AlertError, match="HTTP 503"):
        alerting.tick(FAILED)
    channel.most = None
    alerting.tick(FAILED)
    assert [f"fault number {number}" in text for number, text in enumerate(channel.texts)] == [True] * 3


def test_of_many_failed_runs_the_oldest_are_told_in_one_tick_and_the_others_in_the_next(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    for number in range(RUNS_AT_ONCE + 2):
        world.fault = dg.Failure(f"fault number {number}")
        alerting.run()
    for told in (RUNS_AT_ONCE, RUNS_AT_ONCE + 2):
        alerting.tick(FAILED)
        assert [f"fault number {number}" in text for number, text in enumerate(channel.texts)] == [True] * told


def test_a_deleted_run_does_not_hold_the_others_up(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    world.fault = dg.Failure("gone")
    for run_id in [alerting.run() for _ in range(6)]:
        instance.run_storage.delete_run(run_id)
    world.fault = dg.Failure("still there")
    alerting.run()
    alerting.tick(FAILED)
    alerting.tick(FAILED)
    assert ["still there" in text for text in channel.texts] == [True]


def test_a_check_is_told_when_it_begins_to_fail_changes_and_passes_again(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    hours: list[dict[str, tuple[bool, dg.AssetCheckSeverity, str, int]]] = [
        {},
        {"freshness": (False, warning, "zaptec was last read 26 hours ago.", 26)},
        {"freshness": (False, warning, "zaptec was last read 27.5 hours ago.", 27)},
        {"freshness": (False, error, "zaptec was last read 50 hours ago.", 50)},
        {"freshness": (False, error, "zaptec and jedlix were last read 51 hours ago.", 51)},
        {},
        {},
    ]
    told = []
    for checks in hours:
        world.checks = checks
        alerting.run()
        before = len(channel.texts)
        alerting.tick(CHECKS)
        told.append(len(channel.texts) - before)
    assert told == [0, 1, 0, 1, 1, 1, 0]
    first, _, _, last = channel.texts
    assert "*Chargehouse: 1 check(s) failed (refresh)*" in first
    assert "WARN ops/load_audit: freshness. zaptec was last read 26 hours ago. (rows 26)" in first
    assert "not told" not in first
    assert "1 passed again" in last
    assert "PASSED AGAIN ops/load_audit: freshness" in last


def test_all_checks_of_a_run_are_one_message_also_of_a_run_that_failed(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    error = dg.AssetCheckSeverity.ERROR
    world.checks = {name: (False, error, f"{name} is wrong", 3) for name in ALL}
    world.fault = dg.Failure("failed as well")
    alerting.run()
    alerting.tick(CHECKS)
    [text] = channel.texts
    assert "2 check(s) failed" in text
    assert all(f"{name} is wrong" in text for name in ALL)


def test_a_check_that_could_not_be_told_is_told_later(
    channel: Channel, instance: dg.DagsterInstance, world: World
) -> None:
    alerting = Alerting(webhook_settings(channel), instance, world)
    world.checks = {"freshness": (False, dg.AssetCheckSeverity.ERROR, "late", 1)}
    alerting.run()
    channel.status = 500
    with pytest.raises(AlertError):
        alerting.tick(CHECKS)
    channel.status = 200
    alerting.run()
    alerting.tick(CHECKS)
    assert len(channel.texts) == 1


def test_the_same_alert_goes_by_mail(mailbox: Mailbox, instance: dg.DagsterInstance, world: World) -> None:
    alerting = Alerting(mail_settings(mailbox), instance, world)
    world.fault = dg.Failure("Failed, says Zaptéc.")
    alerting.run()
    alerting.tick("alert_failed_runs_by_mail")
    [message] = mailbox.messages
    assert mailbox.recipients == [["one@example.com", "two@example.com"]]
    assert message["Subject"] == "Chargehouse: refresh failed"
    assert message["From"] == "Chargehouse <chargehouse@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Failed, says Zaptéc." in message.get_content()
    assert mailbox.sign_ins == []


LOCATION = """
    import dagster as dg
    from pipelines.orchestration.alerts import build_alert_sensors
    from pipelines.settings import load_settings

    @dg.op
    def fails():
        raise dg.Failure("it fails on purpose")

    @dg.job(name="refresh", executor_def=dg.in_process_executor)
    def refresh():
        fails()

    defs = dg.Definitions(jobs=[refresh], sensors=build_alert_sensors(load_settings()))
"""


def test_the_daemon_tells_of_a_run_that_the_command_line_started(
    channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon's own machinery: the code location in a process of its own, ticks and cursors in the instance."""
    location = tmp_path / "location.py"
    location.write_text(dedent(LOCATION))
    monkeypatch.setenv("CHARGEHOUSE_ALERT_WEBHOOK_URL", channel.url)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT_FOLDER))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    # As the services do: Dagster would read a `.env` in its working folder, and let it override the environment.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    logger = logging.getLogger("test")
    target = PythonFileTarget(str(location), None, str(tmp_path), "chargehouse")
    with (
        dg.DagsterInstance.get() as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):

        def tick() -> None:
            _forget_the_interval(instance)
            list(execute_sensor_iteration(workspace, logger, None, None))

        tick()
        script = f"import runpy; runpy.run_path({str(location)!r})['defs'].resolve_job_def('refresh')"
        script += ".execute_in_process(instance=__import__('dagster').DagsterInstance.get(), raise_on_error=False)"
        subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, env=dict(os.environ), timeout=120)
        channel.status = 500
        states = instance.all_instigator_state()
        assert {state.name for state in states} == {FAILED, CHECKS}
        tick()
        [failed] = [state for state in instance.all_instigator_state() if state.name == FAILED]
        ticks = instance.get_ticks(failed.instigator_origin_id, failed.selector_id)
        assert ticks[0].status.value == "FAILURE"
        assert "refused the alert (HTTP 500)" in str(ticks[0].error)
        assert "very-secret" not in str(ticks[0].error)
        channel.status = 200
        tick()
        assert ["it fails on purpose" in text for text in channel.texts] == [True]


def _forget_the_interval(instance: dg.DagsterInstance) -> None:
    """Make the sensors' last ticks look long ago."""
    for state in instance.all_instigator_state():
        data = state.instigator_data
        assert isinstance(data, SensorInstigatorData)
        long_ago = data._replace(last_tick_timestamp=0.0, last_tick_start_timestamp=0.0)
        instance.update_instigator_state(state.with_data(long_ago))
