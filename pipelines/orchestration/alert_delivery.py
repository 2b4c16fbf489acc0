"""Delivering an alert to people: a POST to a webhook, or a mail.

A failure is reported in one plain sentence that names the host and no other part of the address: anyone who has a
webhook's full address can post there, and libraries tend to quote it in their errors.
"""

import json
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Protocol

import urllib3

from pipelines.faults import AlertError
from pipelines.settings import Mail, Settings, Webhook

PATIENCE_SECONDS = 10.0
"""The timeout for a connection and for each answer. Dagster ends a tick that takes more than a minute."""

LONGEST_TEXT = 3_500
"""Slack cuts a message at 4,000 characters, some of which the headline and the escaping need. Source: Slack,
"chat.postMessage", truncating content."""


@dataclass(frozen=True)
class Alert:
    """A headline, and the rest of the message, line by line."""

    headline: str
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        """The lines as one text, cut to LONGEST_TEXT characters. The last line, with the link, always stays."""
        text = "\n".join(self.lines)
        if len(text) <= LONGEST_TEXT:
            return text
        end = f" ...\n{self.lines[-1]}"
        return f"{text[: LONGEST_TEXT - len(end)]}{end}"


class Target(Protocol):
    """Where alerts go."""

    @property
    def name(self) -> str:
        """webhook or mail."""
        ...

    @property
    def place(self) -> str:
        """The host, which is all of the address that may be shown."""
        ...

    def deliver(self, alert: Alert) -> None:
        """Send the alert. Raises AlertError if it could not be delivered."""
        ...


def alert_targets(settings: Settings) -> list[Target]:
    """The targets that the settings name; empty if none is configured."""
    targets: list[Target] = []
    if settings.webhook is not None:
        targets.append(WebhookTarget(settings.webhook))
    if settings.mail is not None:
        targets.append(MailTarget(settings.mail))
    return targets


@dataclass(frozen=True)
class WebhookTarget:
    """Posts {"text": ...} to an address. Source: Slack, "Sending messages using incoming webhooks"."""

    webhook: Webhook
    name: str = "webhook"

    @property
    def place(self) -> str:
        return self.webhook.host

    def deliver(self, alert: Alert) -> None:
        text = _slack_text(f"*{alert.headline}*\n{alert.body}")
        try:
            # No redirect is followed: the text is for the configured host only.
            with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(PATIENCE_SECONDS)) as pool:
                status = pool.request(
                    "POST",
                    self.webhook.url.get_secret_value(),
                    body=json.dumps({"text": text}).encode(),
                    headers={"Content-Type": "application/json", "User-Agent": "chargehouse"},
                    redirect=False,
                ).status
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            # Not `from fault`, which would carry the address along.
            raise AlertError(f"the webhook at {self.place} cannot be reached ({_kind(fault)}).") from None
        if not 200 <= status < 300:
            raise AlertError(f"the webhook at {self.place} refused the alert (HTTP {status}); check its address.")


@dataclass(frozen=True)
class MailTarget:
    """Sends a plain mail to all recipients."""

    mail: Mail
    name: str = "mail"

    @property
    def place(self) -> str:
        return self.mail.host

    def deliver(self, alert: Alert) -> None:
        try:
            with self._connection() as connection:
                if self.mail.security == "starttls":
                    connection.starttls(context=ssl.create_default_context())
                if self.mail.password is not None:
                    connection.login(self.mail.username, self.mail.password.get_secret_value())
                refused = connection.send_message(self._message(alert))
        except smtplib.SMTPAuthenticationError as fault:
            raise AlertError(
                f"the mail server {self.place} refused the sign-in (SMTP {fault.smtp_code}); check user and password."
            ) from None
        except smtplib.SMTPRecipientsRefused:
            raise AlertError(f"the mail server {self.place} refused every recipient.") from None
        except smtplib.SMTPResponseException as fault:
            raise AlertError(f"the mail server {self.place} refused the alert (SMTP {fault.smtp_code}).") from None
        except smtplib.SMTPNotSupportedError:
            raise AlertError(
                f"the mail server {self.place} lacks STARTTLS or authentication; check CHARGEHOUSE_ALERT_SMTP_SECURITY."
            ) from None
        except (smtplib.SMTPException, OSError) as fault:
            raise AlertError(f"the mail server {self.place} cannot be used ({_kind(fault)}).") from None
        if refused:
            raise AlertError(
                f"the mail server {self.place} refused {len(refused)} of {len(self.mail.recipients)} recipients."
            )

    def _connection(self) -> smtplib.SMTP:
        if self.mail.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.mail.host, self.mail.port, timeout=PATIENCE_SECONDS, context=context)
        return smtplib.SMTP(self.mail.host, self.mail.port, timeout=PATIENCE_SECONDS)

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage(SMTP)
        message["Subject"] = " ".join(alert.headline.split())
        message["From"] = Address("Chargehouse", addr_spec=self.mail.sender)
        message["To"] = ", ".join(self.mail.recipients)
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.mail.sender.partition("@")[2])
        # Suppresses automatic replies, which would be of no use. Source: RFC 3834, 5.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(alert.body + "\n")
        return message


def _slack_text(text: str) -> str:
    """The text, escaped so that Slack finds no mention or link in it. Source: Slack, "Formatting text", escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _kind(fault: Exception) -> str:
    """The kind of fault, never its message."""
    match fault:
        case urllib3.exceptions.NameResolutionError():
            return "the host is unknown"
        case urllib3.exceptions.SSLError() | ssl.SSLError():
            return "no trusted TLS connection could be made"
        case ConnectionRefusedError() | urllib3.exceptions.NewConnectionError():
            return "nothing listens there"
        case urllib3.exceptions.TimeoutError() | TimeoutError():
            return "no answer in time"
        case smtplib.SMTPServerDisconnected():
            return "the connection broke"
        case _:
            return type(fault).__name__
