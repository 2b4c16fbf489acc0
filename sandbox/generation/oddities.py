"""Rows that must not count: one visit in fifty-three is invalid in one of these ways, in rotation."""

from dataclasses import replace
from datetime import timedelta

from sandbox.generation.visits import Visit

ODDITIES = (
    "negative_energy",
    "ends_before_start",
    "over_5_mwh",
    "over_1_mw",
    "no_start",
    "unparseable_start",
    "unparseable_energy",
)
_EVERY = 53
_FIRST = 11


def oddity(visit: Visit, kinds: tuple[str, ...] = ODDITIES) -> str | None:
    """In which way this visit is invalid; None for nearly all."""
    if visit.number % _EVERY != _FIRST:
        return None
    return kinds[visit.number // _EVERY % len(kinds)]


def spoiled(visit: Visit, kind: str | None) -> Visit:
    """The visit with invalid times or energy; the vendors' modules apply the kinds that concern the payload."""
    if kind == "negative_energy":
        return replace(visit, energy_kwh=-1.25)
    if kind == "ends_before_start":
        return replace(visit, ended_at=visit.started_at - timedelta(minutes=42))
    if kind == "over_5_mwh":
        return replace(visit, ended_at=visit.started_at + timedelta(hours=12), energy_kwh=6123.5, power_kw=900.0)
    if kind == "over_1_mw":
        return replace(visit, ended_at=visit.started_at + timedelta(minutes=10), energy_kwh=300.0, power_kw=2000.0)
    return visit
