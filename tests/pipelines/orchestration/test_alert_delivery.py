"""How an alert is delivered: to a real web server and a real mail server."""

import logging
import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest

from pipelines.faults import AlertError
from pipelines.orchestration.alert_delivery import Alert, alert_targets
from tests.pipelines.orchestration.receivers import (
    SECRET_PATH,
    Channel,
    Mailbox,
    mail_receiver,
    mail_settings,
    settings_of,
    webhook_settings,
)

ALERT = Alert("Something failed", ("A line with <!channel> & more.", "Run 12345678."))


def test_the_mail_server_gets_user_and_password(mailbox: Mailbox) -> None:
    sign_in = {"CHARGEHOUSE_ALERT_SMTP_USERNAME": "alerts", "CHARGEHOUSE_ALERT_SMTP_PASSWORD": "mail-secret"}
    [target] = alert_targets(mail_settings(mailbox, **sign_in))
    target.deliver(ALERT)
    assert mailbox.sign_ins == ["alerts"]
    [target] = alert_targets(mail_settings(mailbox, **{**sign_in, "CHARGEHOUSE_ALERT_SMTP_PASSWORD": "wrong-secret"}))
    with pytest.raises(AlertError, match=r"refused the sign-in \(SMTP 535\)") as caught:
        target.deliver(ALERT)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("refuses", "says"),
    [({"two@example.com"}, "refused 1 of 2 recipients"), ({"one@example.com", "two@example.com"}, "every recipient")],
)
def test_a_refused_recipient_is_a_failure(mailbox: Mailbox, refuses: set[str], says: str) -> None:
    mailbox.refuses = refuses
    [target] = alert_targets(mail_settings(mailbox))
    with pytest.raises(AlertError, match=says) as caught:
        target.deliver(ALERT)
    assert "example.com" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, so there is no certificate for a mail server")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_starttls_is_used_and_only_with_a_trusted_certificate(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with mail_receiver(tls_context=context) as mailbox:
        [target] = alert_targets(mail_settings(mailbox, CHARGEHOUSE_ALERT_SMTP_SECURITY="starttls"))
        with pytest.raises(AlertError, match="no trusted TLS connection could be made"):
            target.deliver(ALERT)
        assert mailbox.messages == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        target.deliver(ALERT)
        assert mailbox.was_encrypted == [True]


def test_a_server_without_starttls_gets_nothing(mailbox: Mailbox) -> None:
    [target] = alert_targets(mail_settings(mailbox, CHARGEHOUSE_ALERT_SMTP_SECURITY="starttls"))
    with pytest.raises(AlertError, match="lacks STARTTLS"):
        target.deliver(ALERT)
    assert mailbox.messages == []


def test_nothing_in_a_text_is_markup_to_slack(channel: Channel) -> None:
    [target] = alert_targets(webhook_settings(channel))
    target.deliver(ALERT)
    assert "&lt;!channel&gt; &amp; more" in channel.texts[0]


def test_a_redirect_is_not_followed(channel: Channel) -> None:
    channel.status = 302
    [target] = alert_targets(webhook_settings(channel))
    with pytest.raises(AlertError, match="HTTP 302"):
        target.deliver(ALERT)
    assert channel.paths == [SECRET_PATH]


def test_a_text_too_long_is_cut_and_keeps_the_link(channel: Channel) -> None:
    [target] = alert_targets(webhook_settings(channel))
    target.deliver(Alert("Long", ("x" * 9_000, "the link")))
    assert len(channel.texts[0]) < 4_000
    assert channel.texts[0].endswith(" ...\nthe link")


def test_the_secret_address_stands_in_no_error_and_no_representation(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_of(CHARGEHOUSE_ALERT_WEBHOOK_URL=f"http://127.0.0.1:9{SECRET_PATH}")
    [target] = alert_targets(settings)
    with pytest.raises(AlertError) as caught:
        target.deliver(ALERT)
    assert str(caught.value) == "the webhook at 127.0.0.1 cannot be reached (nothing listens there)."
    assert caught.value.__suppress_context__
    assert "very-secret" not in repr(settings) + repr(target)
    assert not [record for record in caplog.records if "very-secret" in record.getMessage() and _is_ours(record)]


def _is_ours(record: logging.LogRecord) -> bool:
    """urllib3 logs every request at DEBUG, a level that is off in a daemon."""
    return not record.name.startswith("urllib3")
