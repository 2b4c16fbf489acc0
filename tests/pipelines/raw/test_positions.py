"""How far everything is read, and when a running session that no list shows any more is given up."""

from datetime import UTC, datetime, timedelta

from pipelines.raw.positions import FORGET_OPEN_AFTER, Positions

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
PLACE = ("jedlix", "sessions", "all")


def unseen(read_to: dict[str, datetime]) -> set[str]:
    """Which of two sessions, one seen at AT and one a day later, are kept once the lists are read up to `read_to`."""
    watermarks = {("smappee", endpoint, "park:1"): at for endpoint, at in read_to.items()}
    sessions = {"old": (AT, AT), "fresh": (AT, AT + timedelta(days=1))}
    positions = Positions({**watermarks, PLACE: AT + timedelta(days=900)}, {("smappee", "park:1"): sessions})
    positions.forget_long_unseen()
    return set(positions.open_sessions["smappee", "park:1"])


def test_sessions_unseen_for_months_of_reading_are_given_up() -> None:
    last = AT + FORGET_OPEN_AFTER
    later = last + timedelta(hours=1)
    assert unseen({"open_sessions": last, "sessions": last}) == {"old", "fresh"}
    assert unseen({"open_sessions": later, "sessions": later}) == {"fresh"}


def test_a_session_is_not_given_up_before_every_list_that_may_show_it_was_read() -> None:
    later = AT + FORGET_OPEN_AFTER + timedelta(hours=1)
    assert unseen({"open_sessions": later, "sessions": AT}) == {"old", "fresh"}
    assert unseen({}) == {"old", "fresh"}
