"""Why a session does not count: the first reason that applies, or None."""

from decimal import Decimal

from sandbox.judgement.session import Session

_GREATEST_ENERGY_KWH = Decimal(5000)
_GREATEST_POWER_KW = Decimal(1000)


def rejection(session: Session) -> str | None:
    """The reason why a session is rejected; None for one that counts or is still open."""
    if session.voided:
        return "void"
    if session.replaced:
        return "replaced"
    if session.closed:
        if session.energy_kwh is not None and session.energy_kwh < 0:
            return "negative_energy"
        if session.started_at and session.ended_at and session.ended_at < session.started_at:
            return "ends_before_start"
        if _is_implausible(session):
            return "implausible_energy"
    return "unreadable" if session.unreadable else None


def _is_implausible(session: Session) -> bool:
    """Over 5 MWh, or over 1 MW on average in a session of a minute or more."""
    if session.energy_kwh is None:
        return False
    if session.energy_kwh > _GREATEST_ENERGY_KWH:
        return True
    if session.started_at is None or session.ended_at is None:
        return False
    length = session.ended_at - session.started_at
    milliseconds = Decimal(round(length.total_seconds() * 1000))
    return milliseconds >= 60_000 and session.energy_kwh * 3_600_000 > _GREATEST_POWER_KW * milliseconds
