"""Link headers as servers write them."""

import pytest

from pipelines.vendors.links import Link, links_of


@pytest.mark.parametrize(
    ("header", "links"),
    [
        ("", []),
        ("nonsense", []),
        ('<https://v.example/cdrs?offset=100>; rel="next"', [("https://v.example/cdrs?offset=100", {"next"})]),
        ("</cdrs?a=1,2>; rel=next", [("/cdrs?a=1,2", {"next"})]),
        ("</cdrs>; rel='Next'", [("/cdrs", {"next"})]),
        ('</cdrs>; title="x"; REL = "last Next"', [("/cdrs", {"last", "next"})]),
        ('</a>; rel="prev", </b>; rel="sunset"', [("/a", {"prev"}), ("/b", {"sunset"})]),
        ("</cdrs>", [("/cdrs", set())]),
    ],
)
def test_every_link_of_a_header_has_its_target_and_its_relations(
    header: str, links: list[tuple[str, set[str]]]
) -> None:
    assert links_of(header) == [Link(target, frozenset(relations)) for target, relations in links]
