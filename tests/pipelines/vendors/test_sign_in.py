"""Bearer tokens: fetched once for all threads, renewed before they expire, by a refresh token where there is one."""

import threading
import time
from collections.abc import Mapping

import pytest

from pipelines.faults import ReadingError, SignInError
from pipelines.vendors.sign_in import BearerToken, StaticToken

URL = "https://vendor.example/token"
GRANT = {"grant_type": "password", "password": "secret"}


class Desk:
    """A token endpoint that keeps the forms it gets and hands out tokens 1, 2, 3, ..."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        self.forms: list[Mapping[str, str]] = []
        self.refused: set[str] = set()

    def post(self, url: str, form: Mapping[str, str]) -> Mapping[str, object]:
        assert url == URL
        self.forms.append(form)
        if form["grant_type"] in self.refused:
            raise SignInError("refused")
        return {"access_token": f"token-{len(self.forms)}", **self.fields}


def test_a_token_is_fetched_once_and_kept() -> None:
    desk, bearer = Desk(expires_in=3600), BearerToken(URL, GRANT, other_headers={"ApiKey": "key"})
    assert [bearer.headers(desk.post) for _ in range(3)] == [{"Authorization": "Bearer token-1", "ApiKey": "key"}] * 3
    assert desk.forms == [GRANT]


def test_threads_share_one_sign_in() -> None:
    desk, bearer = Desk(expires_in=3600), BearerToken(URL, GRANT)

    def slowly(url: str, form: Mapping[str, str]) -> Mapping[str, object]:
        time.sleep(0.05)
        return desk.post(url, form)

    threads = [threading.Thread(target=bearer.headers, args=(slowly,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.forms) == 1


def test_threads_that_waited_for_a_sign_in_that_failed_do_not_try_it_all_again() -> None:
    bearer, everybody_waits, tries = BearerToken(URL, GRANT), threading.Event(), []
    faults: list[str] = []

    def in_vain(url: str, form: Mapping[str, str]) -> Mapping[str, object]:
        tries.append(form)
        assert everybody_waits.wait(10)
        raise ReadingError("the host cannot be reached; gave up")

    def ask() -> None:
        with pytest.raises(ReadingError) as fault:
            bearer.headers(in_vain)
        faults.append(str(fault.value))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    # A thread counts as waiting from the moment it asked, even if it has not reached the lock yet.
    time.sleep(0.2)
    everybody_waits.set()
    for thread in threads:
        thread.join()
    assert faults == ["the host cannot be reached; gave up"] * 6
    assert len(tries) == 1
    desk = Desk()
    assert bearer.headers(desk.post) == {"Authorization": "Bearer token-1"}, "whoever comes later tries again"


@pytest.mark.parametrize(
    ("lifetime", "asked_after", "fetches"),
    [(3600, 3500, 1), (3600, 3575, 2), (20, 9, 1), (20, 11, 2), (None, 3500, 1), ("soon", 3600, 2), (0, 1, 2)],
)
def test_a_token_is_renewed_shortly_before_it_expires(
    lifetime: object, asked_after: float, fetches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    desk, bearer = Desk(expires_in=lifetime), BearerToken(URL, GRANT)
    bearer.headers(desk.post)
    now[0] += asked_after
    bearer.headers(desk.post)
    assert len(desk.forms) == fetches


def test_a_refused_token_is_forgotten_once_however_many_threads_report_it() -> None:
    desk, bearer = Desk(), BearerToken(URL, GRANT)
    old = bearer.headers(desk.post)
    assert bearer.renew(old)
    new = bearer.headers(desk.post)
    assert bearer.renew(old), "a late report of the old token"
    assert bearer.headers(desk.post) is new
    assert len(desk.forms) == 2


def test_a_refresh_token_is_used_once_and_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    desk = Desk(refresh_token="refresh-a")  # noqa: S106 -- no secret
    bearer = BearerToken(URL, GRANT, refresh_grant={"grant_type": "refresh_token"})
    for fields in ({"refresh_token": "refresh-a"}, {"refresh_token": "refresh-b"}, {}, {}):
        desk.fields = fields
        bearer.headers(desk.post)
        now[0] += 3600
    refresh = [{"grant_type": "refresh_token", "refresh_token": f"refresh-{letter}"} for letter in "ab"]
    assert desk.forms == [GRANT, *refresh, GRANT]


def test_a_refresh_token_whose_tokens_are_refused_leaves_the_password() -> None:
    """After the vendor has revoked a sign-in, its refresh token may still yield tokens, none of them valid."""
    desk = Desk(refresh_token="refresh-a")  # noqa: S106 -- no secret
    bearer = BearerToken(URL, GRANT, refresh_grant={"grant_type": "refresh_token"})
    for _ in range(3):
        bearer.renew(bearer.headers(desk.post))
    assert [form["grant_type"] for form in desk.forms] == ["password", "refresh_token", "password"]
    bearer.headers(desk.post)
    assert desk.forms[-1]["grant_type"] == "refresh_token", "the one that came with the password may be good"


def test_a_refused_refresh_token_leaves_the_password() -> None:
    desk = Desk(refresh_token="spent")  # noqa: S106 -- no secret
    bearer = BearerToken(URL, GRANT, refresh_grant={"grant_type": "refresh_token"})
    bearer.renew(bearer.headers(desk.post))
    desk.refused = {"refresh_token"}
    assert bearer.headers(desk.post) == {"Authorization": "Bearer token-3"}


def test_refused_credentials_are_not_sent_again() -> None:
    desk, bearer = Desk(), BearerToken(URL, GRANT)
    desk.refused = {"password"}
    for _ in range(3):
        with pytest.raises(SignInError, match="refused"):
            bearer.headers(desk.post)
    assert len(desk.forms) == 1


def test_an_answer_without_a_token_is_a_fault_that_quotes_nothing() -> None:
    bearer = BearerToken(URL, GRANT)
    with pytest.raises(ReadingError, match="contains no usable token") as caught:
        bearer.headers(lambda url, form: {"access_tokens": "planted"})
    assert "planted" not in str(caught.value)


def test_a_static_token_cannot_be_renewed() -> None:
    static = StaticToken({"Authorization": "Token t"})
    headers = static.headers(lambda url, form: {})
    assert headers == {"Authorization": "Token t"}
    assert not static.renew(headers)
