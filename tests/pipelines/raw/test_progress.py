"""What a run tells the person who waits for it."""

import io

import pytest

from pipelines.raw.extraction import extract
from pipelines.raw.progress import LONG_PAUSE_SECONDS, SILENT, Progress
from pipelines.raw.questions import refresh
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder


def test_a_vendor_that_does_not_answer_is_told_while_it_is_asked_again(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.raw.progress.LONG_PAUSE_SECONDS", 0.0)
    settings = sandbox_settings("smappee", "zaptec")
    sandbox.faults.arm("status", "smappee", endpoint="sessions", times=3, value=503)
    stream = io.StringIO()
    extract(settings, settings.vendors, refresh(settings, NOW), "run", Progress(stream))
    assert stream.getvalue() == "  smappee: the server answered with HTTP 503; retrying ...\n"


def test_each_reason_is_told_once_and_short_pauses_are_not() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.on_retry("zaptec", "the host cannot be reached", LONG_PAUSE_SECONDS / 2)
    assert stream.getvalue() == ""
    for _ in range(3):
        progress.on_retry("zaptec", "the host cannot be reached", LONG_PAUSE_SECONDS)
        progress.on_retry("jedlix", "the host cannot be reached", LONG_PAUSE_SECONDS)
    assert stream.getvalue().splitlines() == [
        "  zaptec: the host cannot be reached; retrying ...",
        "  jedlix: the host cannot be reached; retrying ...",
    ]


def test_without_a_stream_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    SILENT.on_retry("zaptec", "the host cannot be reached", 60.0)
    SILENT.on_stage("building")
    SILENT.on_read()
    assert capsys.readouterr() == ("", "")
