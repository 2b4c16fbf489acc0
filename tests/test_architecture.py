"""The packages import in one direction only: pipelines -> transforms -> warehouse; the sandbox stands apart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "transforms", "warehouse", "sandbox")
MAY_IMPORT = {
    "pipelines": {"pipelines", "transforms", "warehouse", "sandbox"},
    "transforms": {"transforms", "warehouse"},
    "warehouse": {"warehouse"},
    "sandbox": {"sandbox"},
}
PARTS_OF_PIPELINES = ("vendors", "raw", "tables", "orchestration", "operations")
"""From the lowest to the highest. Beside them are the modules that all of them use, and those that use all of them."""
GROUND = ("faults", "layout", "locks", "personal_data", "settings", "variables")
PLAYS_THE_VENDORS = {
    "pipelines/command.py",
    "pipelines/operations/demonstration.py",
    "pipelines/operations/web_interface.py",
}
PURE_OF = ("dlt", "dagster", "urllib3", "aiohttp", "requests", "deltalake", "duckdb")


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def imported(path: Path) -> Iterator[str]:
    """The modules that a source imports anywhere, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""


def parts_imported(path: Path) -> set[str]:
    """The second part of the names of the `pipelines` modules that a source imports."""
    return {module.split(".")[1] for module in imported(path) if module.startswith("pipelines.")}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    for path in sources(package):
        ours = {module.partition(".")[0] for module in imported(path)} & {*PACKAGES, "tests"}
        assert ours <= MAY_IMPORT[package], path


@pytest.mark.parametrize("part", PARTS_OF_PIPELINES)
def test_a_part_of_pipelines_imports_no_part_above_it(part: str) -> None:
    above = {*PARTS_OF_PIPELINES[PARTS_OF_PIPELINES.index(part) + 1 :], "command"}
    for path in sources(f"pipelines/{part}"):
        assert not parts_imported(path) & above, path


def test_what_all_of_pipelines_stands_on_imports_none_of_its_parts() -> None:
    for module in GROUND:
        assert parts_imported(ROOT / "pipelines" / f"{module}.py") <= {*GROUND}, module


def test_the_sandbox_is_imported_only_by_what_starts_it() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for path in sources("pipelines")
        if any(module.partition(".")[0] == "sandbox" for module in imported(path))
    }
    assert importers <= PLAYS_THE_VENDORS
    assert importers


def test_the_transforms_are_pure() -> None:
    for path in sources("transforms"):
        modules = {module.partition(".")[0] for module in imported(path)}
        assert not modules & {*PURE_OF, "os", "pathlib", "subprocess", "socket"}, path
        opened = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print")
        ]
        assert opened == [], path


def test_the_vendors_are_known_to_two_registries_and_otherwise_only_to_themselves() -> None:
    for path in sources("pipelines"):
        if path.parent.name == "vendors":
            continue
        named = {
            module for module in imported(path) if module.startswith("pipelines.vendors.") and module.count(".") == 2
        } & {f"pipelines.vendors.{vendor}" for vendor in ("zaptec", "jedlix", "greenflux", "smappee")}
        assert named == set(), path


def test_the_settings_are_the_only_reader_of_the_environment() -> None:
    readers = set()
    for package in PACKAGES:
        for path in sources(package):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            # Setting a variable is allowed: Dagster and dlt take some settings from the environment only.
            told = {
                id(node.value) for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
            }
            if any(
                isinstance(node, ast.Attribute) and node.attr in ("getenv", "environ") and id(node) not in told
                for node in nodes
            ):
                readers.add(str(path.relative_to(ROOT)))
    # The others pass the whole environment on to the process or the sandbox that they start.
    assert readers <= {"pipelines/settings.py", *PLAYS_THE_VENDORS}
    assert "pipelines/settings.py" in readers


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_a_drawer_for_odds_and_ends(package: str) -> None:
    names = {path.stem for path in sources(package)} | {path.parent.name for path in sources(package)}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "shared"}


def test_a_lock_goes_by_a_name_that_stands_in_one_place() -> None:
    for path in sources("pipelines"):
        spelled = [
            ast.unparse(node)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("exclusive", "is_held")
            and isinstance(node.args[1], ast.Constant | ast.JoinedStr)
        ]
        assert spelled == [], path
