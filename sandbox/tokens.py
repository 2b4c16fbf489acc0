"""Access tokens: issued, counted, and expired by age or by number of uses."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.settings import VendorSettings


@dataclass
class _Token:
    issued_at: datetime
    issued_tick: float
    uses: int = 0


class TokenDesk:
    """The access and refresh tokens of one vendor."""

    def __init__(self, settings: VendorSettings) -> None:
        self._settings = settings
        self._tokens: dict[str, _Token] = {}
        self._refresh_tokens: set[str] = set()

    def issue(self, now: datetime) -> str:
        """A new access token; older ones stay valid until they expire."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = _Token(now, time.monotonic())
        return token

    def issue_refresh_token(self) -> str:
        """A new refresh token, good for one use."""
        token = secrets.token_urlsafe(24)
        self._refresh_tokens.add(token)
        return token

    def redeem(self, refresh_token: str) -> bool:
        """Whether a refresh token was valid; it is used up either way."""
        valid = refresh_token in self._refresh_tokens
        self._refresh_tokens.discard(refresh_token)
        return valid

    def accepts(self, authorization: str | None, now: datetime) -> bool:
        """Whether an `Authorization` header carries a valid token; counts the use."""
        scheme, _, value = (authorization or "").partition(" ")
        token = self._tokens.get(value)
        if scheme.lower() != "bearer" or token is None:
            return False
        token.uses += 1
        if self._expired(token, now):
            del self._tokens[value]
            return False
        return True

    def _expired(self, token: _Token, now: datetime) -> bool:
        settings = self._settings
        if settings.token_uses is not None and token.uses > settings.token_uses:
            return True
        if settings.expiry_clock == "virtual":
            return now - token.issued_at >= timedelta(seconds=settings.token_seconds)
        return time.monotonic() - token.issued_tick >= settings.token_seconds
