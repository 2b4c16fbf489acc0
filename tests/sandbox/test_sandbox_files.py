"""Worlds in files."""

from datetime import UTC, datetime

import pytest

from sandbox.files import read_world, write_world
from sandbox.world import ENDPOINTS, World


def _content(world: World) -> list[object]:
    return [
        (vendor, endpoint, line.object_id, line.scope, version.shown_from, version.payload)
        for vendor, endpoints in ENDPOINTS.items()
        for endpoint in endpoints
        for line in world.timelines(vendor, endpoint)
        for version in line.versions
    ]


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_written_is_read_back(world, tmp_path, compressed):
    write_world(world, tmp_path, compressed=compressed)
    assert _content(read_world(tmp_path)) == _content(world)


def test_an_object_alone_has_always_been_shown(tmp_path):
    (tmp_path / "greenflux").mkdir()
    (tmp_path / "greenflux" / "locations.ndjson").write_text('{"object":{"id":"L1"}}\n\n{"object":{"id":"L2"}}\n')
    world = read_world(tmp_path)
    shown = [line.object_id for line, _ in world.shown("greenflux", "locations", datetime(1990, 1, 1, tzinfo=UTC))]
    assert shown == ["L1", "L2"]


@pytest.mark.parametrize("line", ["{", '{"scope":"1"}', '{"object":{}}', '{"object":{"id":"L1"},"shown_from":"soon"}'])
def test_a_line_that_is_no_object_is_named(tmp_path, line):
    (tmp_path / "greenflux").mkdir()
    (tmp_path / "greenflux" / "cdrs.ndjson").write_text(f'{{"object":{{"id":"C0"}}}}\n{line}\n')
    with pytest.raises(ValueError, match=r"cdrs\.ndjson, line 2"):
        read_world(tmp_path)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_world(tmp_path / "nowhere")
