"""How a client authenticates: a static token, or a bearer token that is fetched, renewed and shared by threads."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from pipelines.faults import ReadingError, SignInError

FormPost: TypeAlias = Callable[[str, Mapping[str, str]], Mapping[str, object]]
"""Posts a form to a URL and returns the JSON object of the answer.

Raises SignInError for an answer that a retry would not change, ReadingError where no usable answer came.
"""

RENEW_BEFORE_EXPIRY_SECONDS = 30.0
"""So that a token does not expire while its request waits for a free slot."""

USUAL_LIFETIME_SECONDS = 3600.0
"""Assumed where the answer names no lifetime: that of the standard's example. Source: RFC 6749, 5.1."""


class SignIn(Protocol):
    """What the HTTP client needs of a way to sign in."""

    def headers(self, post: FormPost) -> Mapping[str, str]:
        """The headers that authorise a request; fetches a token first where there is none."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget the token of the `refused` headers, after a 401 to them. False where no other can be fetched."""
        ...


class StaticToken:
    """Headers that never change; a 401 to them is final."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self, post: FormPost) -> Mapping[str, str]:
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        return False


class BearerToken:
    """An OAuth 2 token obtained by `grant` and renewed shortly before it expires, by its refresh token if it has one.

    `other_headers`, such as an API key, go with every request.
    """

    def __init__(
        self,
        token_url: str,
        grant: Mapping[str, str],
        refresh_grant: Mapping[str, str] | None = None,
        other_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._token_url = token_url
        self._grant = dict(grant)
        self._refresh_grant = refresh_grant
        self._other_headers = dict(other_headers or {})
        self._lock = threading.Lock()
        self._headers: dict[str, str] | None = None
        self._refresh_token: str | None = None
        self._is_refreshed = False
        self._refusal: str | None = None
        self._fault: ReadingError | None = None
        self._failed_at = 0.0
        self._expires = 0.0

    def headers(self, post: FormPost) -> Mapping[str, str]:
        asked_at = time.monotonic()
        with self._lock:
            if self._headers is None or time.monotonic() > self._expires:
                # A thread that waited while another one's sign-in failed does not try again itself: otherwise every
                # line would go through all the retries, one after the other.
                if self._fault is not None and asked_at < self._failed_at:
                    raise type(self._fault)(*self._fault.args)
                try:
                    self._headers = self._fetch(post)
                except ReadingError as fault:
                    self._fault, self._failed_at = fault, time.monotonic()
                    raise
            return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        with self._lock:
            if self._headers is refused:
                self._headers = None
                # A sign-in that the vendor has ended may still be refreshed, but the tokens are refused.
                if self._is_refreshed:
                    self._refresh_token = None
            return True

    def _fetch(self, post: FormPost) -> dict[str, str]:
        answer = self._post_grant(post)
        token = answer.get("access_token")
        # The HTTP library would refuse any other text in a header, and quote it in its error.
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise ReadingError("the sign-in response contains no usable token.")
        lifetime = answer.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else USUAL_LIFETIME_SECONDS
        # A lifetime shorter than the margin must still be used, or every request would sign in anew.
        self._expires = time.monotonic() + max(seconds - RENEW_BEFORE_EXPIRY_SECONDS, seconds / 2)
        refresh_token = answer.get("refresh_token")
        if isinstance(refresh_token, str):
            self._refresh_token = refresh_token
        return {"Authorization": f"Bearer {token}", **self._other_headers}

    def _post_grant(self, post: FormPost) -> Mapping[str, object]:
        if self._refresh_grant is not None and self._refresh_token is not None:
            token, self._refresh_token = self._refresh_token, None
            try:
                answer = post(self._token_url, {**self._refresh_grant, "refresh_token": token})
            except SignInError:
                pass  # A refresh token may be used up or revoked; the password still works.
            else:
                self._is_refreshed = True
                return answer
        self._is_refreshed = False
        # Every line of a run comes here: repeated sign-ins with refused credentials may lock the account.
        if self._refusal is not None:
            raise SignInError(self._refusal)
        try:
            return post(self._token_url, self._grant)
        except SignInError as refusal:
            self._refusal = str(refusal)
            raise
