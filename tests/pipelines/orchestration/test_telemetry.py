"""Neither dlt nor Dagster sends telemetry."""

import subprocess
import sys
from pathlib import Path

import yaml

LOADED = """
from pathlib import Path
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import readings_table
import dlt.common.runtime.anon_tracker as tracker
import sys
RawLog(Path(sys.argv[1])).append({READINGS: [readings_table([])]}, Positions(), ["zaptec"])
print(tracker._THREAD_POOL)
"""


def test_dlt_starts_nothing_that_would_send_events(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path)], check=True, capture_output=True, text=True, cwd=Path.cwd()
    )
    assert loaded.stdout.strip() == "None"


def test_the_dagster_instance_has_telemetry_and_newsletter_off() -> None:
    configuration = yaml.safe_load((Path(__file__).parents[3] / "dagster.yaml").read_text())
    assert configuration["telemetry"] == {"enabled": False}
    assert configuration["nux"] == {"enabled": False}
