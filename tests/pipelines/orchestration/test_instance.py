"""Many processes prepare the home of the project's Dagster instance at once, and it is whole each time."""

import subprocess
import sys
from pathlib import Path

from pipelines.orchestration.instance import prepare_dagster_home
from pipelines.settings import PROJECT_FOLDER

PROCESSES = 3
HOMES = 200
PREPARER = """
import sys
from pathlib import Path
from pipelines.orchestration.instance import prepare_dagster_home
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    prepare_dagster_home(Path(sys.argv[1]) / str(number))
"""


def test_services_that_start_together_prepare_one_home(tmp_path: Path) -> None:
    preparers = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARER, str(tmp_path), str(HOMES)],
            cwd=PROJECT_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for preparer in preparers:
        assert preparer.stdout is not None
        assert preparer.stdout.readline() == "ready\n"
    for preparer in preparers:
        assert preparer.stdin is not None
        preparer.stdin.write("begin\n")
        preparer.stdin.flush()
    complaints = [preparer.communicate(timeout=60)[1] for preparer in preparers]
    assert complaints == [""] * PROCESSES
    for number in range(HOMES):
        home = tmp_path / str(number) / "dagster"
        assert [path.name for path in home.iterdir()] == ["dagster.yaml"]
        assert (home / "dagster.yaml").read_text() == (PROJECT_FOLDER / "dagster.yaml").read_text()


def test_what_a_process_that_died_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path)
    (home / "dagster.yaml").unlink()
    (home / ".dagster.yaml.part").write_text("run_coo")
    assert prepare_dagster_home(tmp_path) == home
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]
