"""How many sites a vendor has."""


def site_count(sessions: int) -> int:
    """One to three sites for a small world, plus one for every 3,000 sessions."""
    return min(3, 1 + sessions // 40) + sessions // 3_000
