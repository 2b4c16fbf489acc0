"""Every place that names the vendors names them all: a vendor that is missing somewhere is found here."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from pipelines.orchestration.column_lineage import FIELDS
from pipelines.orchestration.jobs import ACCOUNT
from pipelines.orchestration.pictures import COLOURS
from pipelines.settings import VENDOR_PREFIXES, Settings
from pipelines.vendors import ENDPOINTS, LOOK_BACKS
from tests.faults.verdict import VENDORS as FAULTED_VENDORS
from tests.pipelines.raw.extracted import VENDORS as EXTRACTED_VENDORS
from transforms.vendors import SESSION_LISTS, STAGINGS

ROOT = Path(__file__).resolve().parent.parent
VENDORS = set(ENDPOINTS)
LISTS = {(endpoint.vendor, endpoint.name) for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]}


def test_every_list_is_staged_and_its_fields_lead_to_columns() -> None:
    assert {vendor for vendor, _ in LISTS} == VENDORS
    assert set(STAGINGS) == set(FIELDS) == LISTS
    assert {vendor for vendor, _ in SESSION_LISTS} == VENDORS


def test_every_vendor_has_an_account_in_the_settings_and_variables_that_are_described() -> None:
    assert {field.name for field in fields(Settings)} >= VENDORS
    assert set(VENDOR_PREFIXES) == {f"{vendor.upper()}_" for vendor in VENDORS}
    described = (ROOT / ".env.example").read_text()
    assert [prefix for prefix in VENDOR_PREFIXES if f"\n{prefix}" not in described] == []


@pytest.mark.parametrize("instance", ["dagster.yaml", "deploy/dagster.postgresql.yaml"])
def test_one_run_at_a_time_reads_an_account(instance: str) -> None:
    runs = yaml.safe_load((ROOT / instance).read_text())["concurrency"]["runs"]
    assert {limit["key"]: limit["limit"] for limit in runs["tag_concurrency_limits"]} == {
        f"{ACCOUNT}{vendor}": 1 for vendor in VENDORS
    }


def test_every_vendor_is_told_of_and_drawn() -> None:
    assert set(LOOK_BACKS) == set(COLOURS) == VENDORS
    assert len(set(COLOURS.values())) == len(VENDORS)


@pytest.mark.parametrize("folder", ["pipelines/vendors", "transforms/vendors", "sandbox/apis", "sandbox/generation"])
def test_every_vendor_has_a_module_of_its_own(folder: str) -> None:
    assert {path.stem for path in (ROOT / folder).glob("*.py")} >= VENDORS


def test_the_tests_go_through_every_vendor() -> None:
    assert set(FAULTED_VENDORS) == set(EXTRACTED_VENDORS) == VENDORS
