"""A Chargehouse that Dagster operates: an instance of its own, the jobs by name, and the sensor's ticks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from pipelines.definitions import build_definitions
from pipelines.orchestration.instance import prepare_dagster_home
from pipelines.orchestration.schedules import READING
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes
from sandbox.server import Sandbox
from warehouse.tables.table import Table


class Operated:
    """Definitions over the settings, and an instance below their data folder."""

    def __init__(self, settings: Settings, sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.sandbox = sandbox
        self.instance = instance
        self.lakes = Lakes.below(settings.data)
        self.reload()

    def reload(self) -> None:
        """Build the definitions again, as when Dagster reloads the code location."""
        self.definitions = build_definitions(self.settings)

    def load(self, at: datetime) -> dg.ExecuteInProcessResult:
        """Run what the refresh schedule requests, at this instant."""
        self.sandbox.now = at
        configuration = {
            "raw_log": {"config": {"as_of": at.isoformat()}},
            "vendor_radar": {"config": {"fails_on_gaps": True}},
        }
        return self.run("load", {READING: "refresh"}, {"ops": configuration})

    def run(
        self, job: str, tags: Mapping[str, str] | None = None, configuration: Mapping[str, object] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run any job to its end, as the daemon would."""
        given = dict(tags or {})
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=given.pop("dagster/partition", None),
            tags=given,
            run_config={**(configuration or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def tick(self) -> SensorExecutionData:
        """One tick of the sensor of the touched months."""
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(instance=self.instance, repository_def=repository) as context:
            return repository.get_sensor_def("touched_months").evaluate_tick(context)

    def answer(self, tick: SensorExecutionData) -> list[dg.ExecuteInProcessResult]:
        """Run what a tick requested."""
        return [self.run(str(request.job_name), request.tags) for request in tick.run_requests or []]

    def settle(self, most: int = 6) -> list[str]:
        """Tick and answer until nothing is requested. Returns the jobs that ran, with their partitions."""
        ran: list[str] = []
        for _ in range(most):
            tick = self.tick()
            if not tick.run_requests:
                return ran
            assert all(result.success for result in self.answer(tick))
            ran.extend(described(request) for request in tick.run_requests)
        raise AssertionError(f"never settled: {ran}")

    def versions(self, table: Table) -> dict[str | None, list[str]]:
        """The files of each month of a table; the list differs for every month that was rewritten."""
        files: dict[str | None, list[str]] = {}
        for file in self.lakes.published.files(table):
            files.setdefault(file.month, []).append(file.path)
        return files


def described(request: dg.RunRequest) -> str:
    """The job of a request and the months it is for."""
    tags = request.tags
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    months = tags.get("dagster/partition") or (f"{first}..{last}" if first else "")
    return f"{request.job_name} {months}".strip()


def metadata_of(instance: dg.DagsterInstance, key: Sequence[str], partition: str | None = None) -> Mapping[str, object]:
    """The metadata of the newest materialization of an asset, or of one of its partitions."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(key), asset_partitions=[partition] if partition else None), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


@contextmanager
def operated(settings: Settings, sandbox: Sandbox) -> Iterator[Operated]:
    """A Chargehouse with a real instance below the data folder of the settings."""
    with patch.dict(os.environ):
        home = prepare_dagster_home(settings.data)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Operated(settings, sandbox, instance)


def two_vendors(sandbox: Sandbox) -> dict[str, str]:
    """The environment of the two vendors that are quickest to read."""
    return {name: value for name, value in sandbox.environment().items() if name.startswith(("ZAPTEC", "GREENFLUX"))}
