"""Who receives alerts in tests: a real web server and a real mail server on loopback."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pipelines.settings import Settings, load_settings

MAIL = {
    "CHARGEHOUSE_ALERT_SMTP_HOST": "127.0.0.1",
    "CHARGEHOUSE_ALERT_SMTP_SENDER": "chargehouse@example.com",
    "CHARGEHOUSE_ALERT_SMTP_RECIPIENTS": "one@example.com, two@example.com",
    "CHARGEHOUSE_ALERT_SMTP_SECURITY": "none",
}
SECRET_PATH = "/services/T00/B00/very-secret"  # noqa: S105 -- of a test


@dataclass
class Channel:
    """What was posted. The server answers with `status`, which a test may change; with 503 once it has `most` texts."""

    url: str = ""
    status: int = 200
    most: int | None = None
    texts: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def web_receiver() -> Iterator[Channel]:
    """A web server that accepts {"text": ...} as long as its `status` is 200."""
    channel = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            channel.paths.append(self.path)
            is_full = channel.most is not None and len(channel.texts) >= channel.most
            status = 503 if is_full else channel.status
            if status == 200:
                channel.texts.append(json.loads(body)["text"])
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    channel.url = f"http://127.0.0.1:{server.server_port}{SECRET_PATH}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield channel
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """What was mailed, to whom, and who signed in. `refuses` are recipients that the server rejects."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    sign_ins: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    was_encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        self.was_encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        if data.password != b"mail-secret":
            return AuthResult(success=False, handled=False)
        self.sign_ins.append(data.login.decode())
        return AuthResult(success=True)


@contextmanager
def mail_receiver(**options: Any) -> Iterator[Mailbox]:
    """A mail server; `options` are aiosmtpd's, such as a TLS context."""
    mailbox = Mailbox()
    loop = asyncio.new_event_loop()

    def protocol() -> SMTP:
        return SMTP(mailbox, loop=loop, authenticator=mailbox.authenticate, auth_require_tls=False, **options)

    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    mailbox.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


def settings_of(**variables: str) -> Settings:
    return load_settings(variables, Path("/nonexistent/.env"))


def webhook_settings(channel: Channel, **variables: str) -> Settings:
    return settings_of(CHARGEHOUSE_ALERT_WEBHOOK_URL=channel.url, **variables)


def mail_settings(mailbox: Mailbox, **variables: str) -> Settings:
    return settings_of(**{**MAIL, "CHARGEHOUSE_ALERT_SMTP_PORT": str(mailbox.port), **variables})
