"""Driving a sandbox from another process, and the command that starts one."""

import signal
import socket
import subprocess
import sys

import pytest
import urllib3

from sandbox.command import serve
from sandbox.server import Sandbox


def test_the_clock_is_read_set_and_advanced(caller, sandbox):
    url = f"{sandbox.url}/sandbox/clock"
    assert caller.http.request("GET", url).json() == {"now": "2026-04-10T00:00:00Z"}
    assert caller.http.request("POST", url, json={"now": "2026-04-11T00:00:00+02:00"}).status == 200
    assert caller.http.request("POST", url, json={"advance_seconds": 60}).json() == {"now": "2026-04-10T22:01:00Z"}
    assert caller.http.request("POST", url, json={"now": "soon"}).status == 400


def test_requests_are_logged_without_secrets(caller, sandbox):
    caller.get("greenflux", "/api/1.0/cdrs", limit=3)
    caller.get("zaptec", "/api/chargers")
    log = caller.http.request("GET", f"{sandbox.url}/sandbox/requests")
    assert [(row["vendor"], row["endpoint"], row["status"]) for row in log.json()] == [
        ("greenflux", "cdrs", 200),
        ("zaptec", "token", 200),
        ("zaptec", "chargers", 200),
    ]
    assert log.json()[0]["query"] == "limit=3"
    for secret in (sandbox.settings.zaptec.password, sandbox.settings.greenflux.token):
        assert secret.encode() not in log.data


def test_faults_are_armed_counted_and_cleared(caller, sandbox):
    url = f"{sandbox.url}/sandbox/faults"
    armed = caller.http.request("POST", url, json={"kind": "status", "vendor": "greenflux", "value": 503}).json()
    assert armed[0]["fired"] == 0
    assert caller.get("greenflux", "/api/1.0/cdrs").status == 503
    assert caller.http.request("GET", url).json()[0]["fired"] == 1
    assert caller.http.request("POST", url, json={"kind": "nonsense", "vendor": "greenflux"}).status == 400
    assert len(caller.http.request("POST", url, json={"profile": "mixed:0.1", "seed": 3}).json()) == 4
    assert caller.http.request("DELETE", url).json() == []
    assert sandbox.faults.armed() == []


def test_the_truth_and_the_environment_are_given(caller, sandbox):
    url = f"{sandbox.url}/sandbox/truth?refresh=2026-02-01T00:00:00Z&refresh=2026-03-01T00:00:00Z&time_zone=UTC"
    tables = caller.http.request("GET", url).json()
    assert len(tables["fact_session"]) > 100
    assert isinstance(tables["fact_session"][0]["connected_seconds"], float)
    assert caller.http.request("GET", f"{sandbox.url}/sandbox/environment").json() == sandbox.environment()
    assert caller.http.request("GET", f"{sandbox.url}/sandbox/nonsense").status == 404


def test_the_command_serves_until_it_is_told_to_stop():
    code = "import sys; from sandbox.command import serve; sys.exit(serve(port=0, seed=1, sessions=40))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "invented data" in process.stdout.readline()
        exports = dict(process.stdout.readline().strip().removeprefix("export ").split("=", 1) for _ in range(20))
        base = exports["GREENFLUX_BASE_URL"].strip("'")
        headers = {"Authorization": f"Token {exports['GREENFLUX_TOKEN'].strip(chr(39))}"}
        assert urllib3.request("GET", f"{base}/api/1.0/cdrs", headers=headers).json()["status_code"] == 1000
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_port_in_use_and_an_unknown_profile_are_told(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert serve(port=taken.getsockname()[1], seed=1, sessions=8) == 1
    assert serve(port=0, seed=1, sessions=8, faults="nonsense") == 2
    assert "cannot be opened" in capsys.readouterr().err


def test_a_sandbox_that_is_stopped_answers_no_more(world, sandbox):
    other = Sandbox(world, sandbox.now)
    other.start()
    other.stop()
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        urllib3.request("GET", f"{other.url}/sandbox/clock", retries=1)
