"""The pictures: what they count, and that a browser can show them."""

import base64
import time
from datetime import UTC, datetime
from xml.etree import ElementTree

import polars as pl
import pytest

from pipelines.orchestration.month_metadata import by_hour_of_week, by_month_and_vendor
from pipelines.orchestration.pictures import HEIGHT, WIDTH, as_markdown, heat_map, stacked_bars, week_curve
from warehouse.tables import MONTH_QUALITY

SVG = "{http://www.w3.org/2000/svg}"
MONDAY = datetime(2025, 3, 3, tzinfo=UTC)
WEEK = [float(hour % 24) for hour in range(168)]
EMPTY_WEEK = [0.0] * 168
PICTURES = {
    "bars": stacked_bars("Energy <&> more", ["2025-01", "2025-02"], {"zaptec": [1, 2], "other": [3, 0]}, "kWh"),
    "many bars": stacked_bars("Energy", [str(each) for each in range(36)], {"zaptec": [1.5] * 36}, "kWh"),
    "no bars": stacked_bars("Energy", [], {}, "kWh"),
    "curve": week_curve("Load", WEEK, "kWh"),
    "flat curve": week_curve("Load", EMPTY_WEEK, "kWh"),
    "heat map": heat_map("Heat", WEEK, "kWh"),
    "cold map": heat_map("Heat", EMPTY_WEEK, "kWh"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_whole_small_and_has_nothing_outside_its_frame(name: str) -> None:
    picture = ElementTree.fromstring(PICTURES[name])  # noqa: S314 -- written here
    assert picture.tag == f"{SVG}svg"
    assert len(PICTURES[name]) < 16_000, "it stands in the event log"
    for shape in picture.iter(f"{SVG}rect"):
        left, top = float(shape.get("x", 0)), float(shape.get("y", 0))
        assert 0 <= left <= left + float(shape.get("width", 0)) <= WIDTH + 0.1
        assert 0 <= top <= top + float(shape.get("height", 0)) <= HEIGHT + 0.1


def test_bars_are_as_high_as_their_values_and_stand_on_each_other() -> None:
    shapes = ElementTree.fromstring(PICTURES["bars"]).iter(f"{SVG}rect")  # noqa: S314 -- written here
    bars = [shape for shape in shapes if float(shape.get("width", 0)) not in (WIDTH, 10)]
    heights = [float(bar.get("height", 0)) for bar in bars]
    assert heights == pytest.approx([heights[0], 2 * heights[0], 3 * heights[0]], abs=0.1)
    first, _, upon = bars
    assert float(upon.get("y", 0)) + float(upon.get("height", 0)) == pytest.approx(float(first.get("y", 0)), abs=0.1)


def test_an_axis_ends_at_a_round_number_above_the_highest_value() -> None:
    for value, top in ((73.0, ">80<"), (1961.7, ">2,000<"), (1.0, ">1<"), (12_345.0, ">20k<"), (0.4, ">0.4<")):
        picture = week_curve("Load", [value, *EMPTY_WEEK[1:]], "kWh")
        assert top in picture, value


def test_a_picture_stands_in_markdown_as_data() -> None:
    markdown = as_markdown(PICTURES["curve"], "Load")
    head, _, data = markdown.partition("base64,")
    assert head == "![Load](data:image/svg+xml;"
    assert base64.b64decode(data.removesuffix(")")).decode() == PICTURES["curve"]


def test_amounts_fall_into_the_hour_of_the_week_of_the_zone() -> None:
    instants = [MONDAY, MONDAY.replace(hour=23), MONDAY.replace(day=9, hour=22), MONDAY.replace(day=9, hour=23)]
    amounts = pl.DataFrame({"at": instants, "amount": [1.0, 2.0, 4.0, 8.0]})
    utc, oslo = by_hour_of_week(amounts, "UTC"), by_hour_of_week(amounts, "Europe/Oslo")
    assert {hour: kwh for hour, kwh in enumerate(utc) if kwh} == {0: 1.0, 23: 2.0, 166: 4.0, 167: 8.0}
    assert {hour: kwh for hour, kwh in enumerate(oslo) if kwh} == {0: 8.0, 1: 1.0, 24: 2.0, 167: 4.0}


def test_months_are_in_order_and_a_vendor_without_one_has_nothing_there() -> None:
    rows = [("2025-02", "zaptec", 5), ("2025-01", "zaptec", 3), ("2025-02", "jedlix", 7), ("none", "jedlix", 9)]
    quality = pl.DataFrame(rows, schema=["month", "vendor", "sessions"], orient="row")
    assert by_month_and_vendor(quality, "sessions") == (
        ["2025-01", "2025-02"],
        {"jedlix": [0.0, 7.0], "zaptec": [3.0, 5.0]},
    )
    assert by_month_and_vendor(MONTH_QUALITY.schema.create_empty(), "sessions") == ([], {})


def test_a_picture_of_a_large_month_takes_no_time() -> None:
    slots = pl.DataFrame({"at": pl.datetime_range(MONDAY, MONDAY.replace(day=31), "10s", eager=True)})
    begun = time.process_time()
    week_curve("Load", by_hour_of_week(slots.with_columns(amount=pl.lit(1.0)), "Europe/Oslo"), "kWh")
    assert time.process_time() - begun < 1.0
