"""Headers that announce the end of an endpoint: read where they can be, and never a reason to fail."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from pipelines.vendors.retirement import NOTHING_SAID, Retirement, retirement_of

SEEN_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOME_DAY = datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "deprecated_at"),
    [
        ("@1688169599", SOME_DAY),
        (" @1688169599 ", SOME_DAY),
        ("@1688169599;more=1", SOME_DAY),
        ("Fri, 30 Jun 2023 23:59:59 GMT", SOME_DAY),
        ("true", SEEN_AT),
        ("?1", SEEN_AT),
        ("false", None),
        ("", None),
        ("@", None),
        ("@soon", None),
        ("@999999999999", None),
        ("1688169599", None),
    ],
)
def test_deprecation_is_read_as_the_standard_and_its_drafts_write_it(
    value: str, deprecated_at: datetime | None
) -> None:
    assert retirement_of({"Deprecation": value}, SEEN_AT) == Retirement(deprecated_at)


@pytest.mark.parametrize(
    ("value", "sunset_at"),
    [
        ("Wed, 31 Mar 2027 23:59:59 GMT", datetime(2027, 3, 31, 23, 59, 59, tzinfo=UTC)),
        ("Wed, 31 Mar 2027 23:59:59 +0200", datetime(2027, 3, 31, 21, 59, 59, tzinfo=UTC)),
        ("2027-03-31", None),
        ("soon", None),
        ("Wed, 99 Mar 2027 23:59:59 GMT", None),
    ],
)
def test_sunset_is_an_http_date(value: str, sunset_at: datetime | None) -> None:
    assert retirement_of({"Sunset": value}, SEEN_AT).sunset_at == sunset_at


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ('<https://v.example/old>; rel="deprecation"; type="text/html"', "https://v.example/old"),
        ("<https://v.example/gone>; rel=sunset", "https://v.example/gone"),
        ('<https://v.example/a>; rel="next", <https://v.example/b>; rel="deprecation"', "https://v.example/b"),
        ('<https://v.example/b?token=secret#x>; title="a"; rel="help deprecation"', "https://v.example/b"),
        ('<https://v.example/a>; rel="next"', None),
        ('<https://user:secret@v.example/b>; rel="deprecation"', None),
        ('<javascript:alert(1)>; rel="deprecation"', None),
        ('</relative>; rel="deprecation"', None),
        (f'<https://v.example/{"x" * 600}>; rel="deprecation"', None),
    ],
)
def test_a_link_is_kept_less_its_query(value: str, url: str | None) -> None:
    assert retirement_of({"Link": value}, SEEN_AT).url == url


def test_names_of_headers_are_read_in_any_case() -> None:
    headers = HTTPHeaderDict({"deprecation": "true", "SUNSET": "Wed, 31 Mar 2027 23:59:59 GMT"})
    assert retirement_of(headers, SEEN_AT).deprecated_at == SEEN_AT
    assert retirement_of(headers, SEEN_AT).sunset_at is not None


def test_an_answer_without_such_headers_says_nothing() -> None:
    assert retirement_of({"Content-Type": "application/json"}, SEEN_AT) == NOTHING_SAID


def test_of_several_answers_the_earlier_instant_counts() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    one, other = Retirement(late, early, None), Retirement(early, None, "https://v.example")
    assert one.merged(other) == other.merged(one) == Retirement(early, early, "https://v.example")
    assert one.merged(NOTHING_SAID) == one


@given(st.text(), st.text(), st.text())
def test_no_header_whatsoever_is_a_fault(deprecation: str, sunset: str, link: str) -> None:
    retirement_of({"Deprecation": deprecation, "Sunset": sunset, "Link": link}, SEEN_AT)
