import polars as pl
import pytest

from transforms.countries import country_alpha_2
from transforms.fingerprints import id_or_fingerprint
from transforms.texts import flag, scoped_id, text_or_null
from transforms.time_zones import iana_time_zone


@pytest.mark.parametrize(
    ("code", "alpha_2"),
    [("NLD", "NL"), ("nl", "NL"), (" deu ", "DE"), ("XXX", None), ("Netherlands", None), (None, None)],
)
def test_a_country_code_becomes_alpha_2_or_null(code: str | None, alpha_2: str | None) -> None:
    assert pl.select(country_alpha_2(pl.lit(code, dtype=pl.String))).item() == alpha_2


@pytest.mark.parametrize(
    ("name", "zone"), [("Europe/Oslo", "Europe/Oslo"), ("W. Europe Standard Time", None), ("+01:00", None), ("", None)]
)
def test_only_iana_names_are_time_zones(name: str, zone: str | None) -> None:
    assert pl.select(iana_time_zone(pl.lit(name))).item() == zone


def test_empty_text_is_null() -> None:
    texts = pl.DataFrame({"text": ["", "a", None]})
    assert texts.select(text_or_null(pl.col("text"))).to_series().to_list() == [None, "a", None]


def test_a_flag_is_true_only_where_it_says_so() -> None:
    words = pl.DataFrame({"word": ["true", "True", "false", "1", None]})
    assert words.select(flag(pl.col("word"))).to_series().to_list() == [True, True, False, False, False]


def test_a_scope_of_another_kind_gives_no_id() -> None:
    scopes = pl.DataFrame({"scope": ["park:8812", "charger:8812", "all", "park:"]})
    assert scopes.select(scoped_id(pl.col("scope"), "park")).to_series().to_list() == ["8812", None, None, None]


def test_an_object_without_an_id_is_known_by_its_unsigned_content_hash() -> None:
    frame = pl.DataFrame({"id": ["a", None, None], "content_hash": [1, -1, 255]})
    assert id_or_fingerprint(frame, pl.col("id")).to_list() == ["a", "no-id-ffffffffffffffff", "no-id-00000000000000ff"]
